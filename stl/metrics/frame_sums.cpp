#include "stl/metrics/frame_sums.h"

#include <algorithm>
#include <cmath>
#include <limits>

// The loops over a row are compiled for AVX2 too, and chosen when the program starts. Without fused
// multiply-add in either version, both give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define STL_ROW_LOOP __attribute__((target_clones("default", "avx2")))
#else
#define STL_ROW_LOOP
#endif

// Before a loop over columns: they lie apart, which a compiler cannot know of a structure's pointers.
#ifdef __clang__
#define STL_COLUMNS_APART _Pragma("clang loop vectorize(assume_safety)")
#else
#define STL_COLUMNS_APART _Pragma("GCC ivdep")
#endif

namespace stl {
namespace {

constexpr double window_pixels = ssim_window * ssim_window;
constexpr double per_pixel = 1.0 / window_pixels;
constexpr double sample_covariance = window_pixels / (window_pixels - 1);

struct SsimConstants {
    explicit SsimConstants(double data_range)
        : c1(0.01 * data_range * 0.01 * data_range), c2(0.03 * data_range * 0.03 * data_range) {}
    double c1, c2;
};

/// Sums per column, each [W].
struct Columns {
    double* __restrict squared;
    double* __restrict absolute;
    double* __restrict clipped;
    double* __restrict x;  ///< from here on: over the window's rows
    double* __restrict y;
    double* __restrict squares;  ///< of both, together
    double* __restrict xy;
};

template <class T>
inline __attribute__((always_inline)) void add_row_to(const T* __restrict prediction,
                                                      const T* __restrict truth, std::int64_t width,
                                                      const FrameSumOptions& o, const Columns& c,
                                                      double* __restrict old_x, double* __restrict old_y) {
    const double scale = o.scale, shift = o.shift, low = o.clip_min, high = o.clip_max;
    STL_COLUMNS_APART
    for (std::int64_t i = 0; i < width; ++i) {
        const double p = static_cast<double>(prediction[i]) * scale + shift;
        const double y = static_cast<double>(truth[i]) * scale + shift;
        const double error = p - y;
        c.squared[i] += error * error;
        c.absolute[i] += std::abs(error);
        // Written so that NaN stays NaN.
        const double above = p < low ? low : p;
        const double x = above > high ? high : above;
        const double rest = x - y;
        c.clipped[i] += rest * rest;
        const double ox = old_x[i], oy = old_y[i];
        c.x[i] += x - ox;
        c.y[i] += y - oy;
        c.squares[i] += (x * x + y * y) - (ox * ox + oy * oy);
        c.xy[i] += x * y - ox * oy;
        old_x[i] = x;
        old_y[i] = y;
    }
}

/// Adds a row to the column sums; in the window's sums it takes the place of the row 7 above (old_x, old_y).
STL_ROW_LOOP void add_row(const float* prediction, const float* truth, std::int64_t width,
                          const FrameSumOptions& o, const Columns& c, double* old_x, double* old_y) {
    add_row_to(prediction, truth, width, o, c, old_x, old_y);
}
STL_ROW_LOOP void add_row(const double* prediction, const double* truth, std::int64_t width,
                          const FrameSumOptions& o, const Columns& c, double* old_x, double* old_y) {
    add_row_to(prediction, truth, width, o, c, old_x, old_y);
}

inline __attribute__((always_inline)) double seven(const double* v) {
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + v[6]);
}

/// Adds the SSIM of the windows whose first columns are 0 .. count-1.
STL_ROW_LOOP void add_similarity(const Columns& c, std::int64_t count, SsimConstants k,
                                 double* __restrict similar) {
    STL_COLUMNS_APART
    for (std::int64_t i = 0; i < count; ++i) {
        const double x = seven(c.x + i) * per_pixel;
        const double y = seven(c.y + i) * per_pixel;
        const double variances = sample_covariance * (seven(c.squares + i) * per_pixel - (x * x + y * y));
        const double covariance = sample_covariance * (seven(c.xy + i) * per_pixel - x * y);
        const double above = (2 * x * y + k.c1) * (2 * covariance + k.c2);
        const double below = (x * x + y * y + k.c1) * (variances + k.c2);
        similar[i] += above / below;
    }
}

}  // namespace

FrameKernel::FrameKernel(std::int64_t channels, std::int64_t height, std::int64_t width,
                         const FrameSumOptions& options)
    : channels_(channels), height_(height), width_(width), options_(options) {
    const auto w = static_cast<std::size_t>(width);
    squared_.resize(w);
    absolute_.resize(w);
    clipped_.resize(w);
    similar_.resize(w);
    window_.resize(4 * w);
    ring_.resize(2 * ssim_window * w);
}

double FrameKernel::column_total(const std::vector<double>& columns) const {
    double total = 0;
    for (const double column : columns) total += column;
    return total;
}

template <class T>
void FrameKernel::frame(std::span<const T> prediction, std::span<const T> truth, std::span<double> out) {
    const FrameSums at{options_.groups};
    const SsimConstants constants(options_.data_range);
    double* w = window_.data();
    const Columns columns{squared_.data(), absolute_.data(), clipped_.data(), w,
                          w + width_,      w + 2 * width_,   w + 3 * width_};
    const std::int64_t window_columns = std::max<std::int64_t>(0, width_ - ssim_window + 1);
    const std::int64_t window_rows = std::max<std::int64_t>(0, height_ - ssim_window + 1);
    const std::int64_t per_group = channels_ / options_.groups;
    const double outlier = 1e4 * std::max({1.0, std::abs(options_.clip_min), std::abs(options_.clip_max)});
    double clipped = 0, similar = 0;
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
        if (channel % per_group == 0) {
            std::ranges::fill(squared_, 0.0);
            std::ranges::fill(absolute_, 0.0);
        }
        std::ranges::fill(clipped_, 0.0);
        std::ranges::fill(similar_, 0.0);
        std::ranges::fill(window_, 0.0);
        std::ranges::fill(ring_, 0.0);
        for (std::int64_t row = 0; row < height_; ++row) {
            const auto offset = (channel * height_ + row) * width_;
            double* old = ring_.data() + row % ssim_window * 2 * width_;
            add_row(prediction.data() + offset, truth.data() + offset, width_, options_, columns, old,
                    old + width_);
            if (row + 1 >= ssim_window) add_similarity(columns, window_columns, constants, similar_.data());
        }
        const auto group = channel / per_group;
        out[at.squared(group)] = column_total(squared_);
        out[at.absolute(group)] = column_total(absolute_);
        const double own_clipped = column_total(clipped_);
        clipped += own_clipped;
        // A huge value leaves its rounding error in the windows' sums when it leaves them.
        if (own_clipped > outlier * outlier) add_similarity_anew(prediction, truth, channel);
        similar += column_total(similar_);
    }
    out[at.clipped()] = clipped;
    const auto windows = static_cast<double>(window_columns * window_rows * channels_);
    out[at.ssim()] = windows > 0 ? similar / windows : std::numeric_limits<double>::quiet_NaN();
}

template <class T>
void FrameKernel::add_similarity_anew(std::span<const T> prediction, std::span<const T> truth,
                                      std::int64_t channel) {
    const SsimConstants constants(options_.data_range);
    std::vector<double> unused(3 * static_cast<std::size_t>(width_));
    double *u = unused.data(), *w = window_.data();
    const Columns columns{u, u + width_, u + 2 * width_, w, w + width_, w + 2 * width_, w + 3 * width_};
    std::ranges::fill(similar_, 0.0);
    for (std::int64_t last = ssim_window - 1; last < height_; ++last) {
        std::ranges::fill(window_, 0.0);
        for (std::int64_t row = last - ssim_window + 1; row <= last; ++row) {
            std::ranges::fill(ring_, 0.0);
            const auto offset = (channel * height_ + row) * width_;
            add_row(prediction.data() + offset, truth.data() + offset, width_, options_, columns,
                    ring_.data(), ring_.data() + width_);
        }
        add_similarity(columns, std::max<std::int64_t>(0, width_ - ssim_window + 1), constants,
                       similar_.data());
    }
}

void FrameKernel::operator()(std::span<const float> prediction, std::span<const float> truth,
                             std::span<double> out) {
    frame(prediction, truth, out);
}
void FrameKernel::operator()(std::span<const double> prediction, std::span<const double> truth,
                             std::span<double> out) {
    frame(prediction, truth, out);
}

torch::Tensor frame_sums(const torch::Tensor& prediction, const torch::Tensor& truth,
                         const FrameSumOptions& o) {
    const auto frames = prediction.size(0);
    const auto p = prediction.to(torch::kFloat64) * o.scale + o.shift;
    const auto y = truth.to(torch::kFloat64) * o.scale + o.shift;
    const auto error = (p - y).reshape({frames, o.groups, -1});
    const auto x = p.clamp(o.clip_min, o.clip_max);
    const auto clipped = (x - y).square().sum({1, 2, 3}).unsqueeze(1);

    torch::Tensor ssim;
    if (p.size(2) < ssim_window || p.size(3) < ssim_window) {
        ssim = torch::full({frames, 1}, std::numeric_limits<double>::quiet_NaN(), p.options());
    } else {
        const SsimConstants k(o.data_range);
        const auto mean =
            torch::avg_pool2d(torch::cat({x, y, x * x + y * y, x * y}, 1), ssim_window, 1).chunk(4, 1);
        const auto both = mean[0] * mean[1];
        const auto squares = mean[0].square() + mean[1].square();
        const auto above = (2 * both + k.c1) * (2 * sample_covariance * (mean[3] - both) + k.c2);
        const auto below = (squares + k.c1) * (sample_covariance * (mean[2] - squares) + k.c2);
        ssim = (above / below).mean({1, 2, 3}).unsqueeze(1);
    }
    return torch::cat({error.square().sum(2), error.abs().sum(2), clipped, ssim}, 1);
}

}  // namespace stl
