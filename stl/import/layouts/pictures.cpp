#include "stl/import/layouts/pictures.h"

#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/media/picture_decoder.h"

namespace stl {
namespace {

/// Weights of samples that may lie beyond the edges, gathered sample by sample.
class Weights {
  public:
    explicit Weights(int size) : sums_(static_cast<std::size_t>(size)) {}

    void add(int index, double weight) {
        sums_[static_cast<std::size_t>(index)] += weight;
        low_ = std::min(low_, index);
        high_ = std::max(high_, index);
    }
    void add_repeated(int index, double weight) {
        add(std::clamp(index, 0, static_cast<int>(sums_.size()) - 1), weight);
    }
    /// 2 1 0 1 2: the edge itself is not repeated.
    void add_mirrored(int index, double weight) {
        const int last = static_cast<int>(sums_.size()) - 1;
        while (last > 0 && (index < 0 || index > last)) index = index < 0 ? -index : 2 * last - index;
        add(last == 0 ? 0 : index, weight);
    }
    /// Appends what was gathered and starts anew.
    void append_to(AxisTaps& axis) {
        axis.taps.push_back({low_, high_ - low_ + 1, axis.values.size()});
        for (int i = low_; i <= high_; ++i) {
            auto& sum = sums_[static_cast<std::size_t>(i)];
            axis.values.push_back(static_cast<float>(sum));
            sum = 0;
        }
        low_ = static_cast<int>(sums_.size());
        high_ = -1;
    }

  private:
    std::vector<double> sums_;
    int low_ = static_cast<int>(sums_.size()), high_ = -1;
};

/// Where output `i` lies among the samples: pixel centres meet.
double position(int i, int size, int out) {
    return (i + 0.5) * size / out - 0.5;
}

double cubic(double x) {
    constexpr double a = -0.75;
    x = std::abs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

std::vector<double> gaussian(double deviation) {
    const int radius = static_cast<int>(4 * deviation + 0.5);
    std::vector<double> weights;
    double sum = 0;
    for (int i = -radius; i <= radius; ++i) {
        weights.push_back(deviation > 0 ? std::exp(-0.5 * i * i / (deviation * deviation)) : 1);
        sum += weights.back();
    }
    for (auto& weight : weights) weight /= sum;
    return weights;
}

}  // namespace

AxisTaps linear_taps(int size, int out) {
    AxisTaps axis;
    Weights weights(size);
    for (int i = 0; i < out; ++i) {
        const double x = position(i, size, out);
        const int first = static_cast<int>(std::floor(x));
        weights.add_repeated(first, 1 - (x - first));
        weights.add_repeated(first + 1, x - first);
        weights.append_to(axis);
    }
    return axis;
}

AxisTaps cubic_taps(int size, int out) {
    AxisTaps axis;
    Weights weights(size);
    for (int i = 0; i < out; ++i) {
        const double x = position(i, size, out);
        const int first = static_cast<int>(std::floor(x)) - 1;
        for (int k = first; k < first + 4; ++k) weights.add_repeated(k, cubic(x - k));
        weights.append_to(axis);
    }
    return axis;
}

AxisTaps smooth_taps(int size, int out) {
    const auto kernel = gaussian(std::max(0.0, (static_cast<double>(size) / out - 1) / 2));
    const int radius = static_cast<int>(kernel.size() / 2);
    AxisTaps axis;
    Weights weights(size);
    for (int i = 0; i < out; ++i) {
        const double x = position(i, size, out);
        const int first = static_cast<int>(std::floor(x));
        for (int k = -radius; k <= radius; ++k) {
            const double weight = kernel[static_cast<std::size_t>(k + radius)];
            weights.add_mirrored(first + k, weight * (1 - (x - first)));
            weights.add_mirrored(first + 1 + k, weight * (x - first));
        }
        weights.append_to(axis);
    }
    return axis;
}

std::vector<std::uint8_t> planes_of(const Image& image, const AxisTaps& vertical, const AxisTaps& horizontal,
                                    bool blue_first) {
    const auto pixels = vertical.taps.size() * horizontal.taps.size();
    const auto channels = static_cast<std::size_t>(image.channels);
    std::vector<float> resized(pixels * channels), scratch;
    resize_plane({image.pixels.data(), static_cast<std::ptrdiff_t>(image.row_size()), image.height,
                  image.width, image.channels, false},
                 vertical, horizontal, scratch, resized);
    std::vector<std::uint8_t> planes(resized.size());
    for (std::size_t c = 0; c < channels; ++c) {
        const auto to = blue_first ? channels - 1 - c : c;
        for (std::size_t i = 0; i < pixels; ++i) {
            const float value = std::clamp(std::round(resized[i * channels + c]), 0.0F, 255.0F);
            planes[to * pixels + i] = static_cast<std::uint8_t>(value);
        }
    }
    return planes;
}

std::vector<std::uint8_t> planes_of(const Image& image, bool blue_first) {
    const auto channels = static_cast<std::size_t>(image.channels);
    const auto pixels = image.pixels.size() / channels;
    std::vector<std::uint8_t> planes(image.pixels.size());
    for (std::size_t c = 0; c < channels; ++c) {
        const auto to = blue_first ? channels - 1 - c : c;
        for (std::size_t i = 0; i < pixels; ++i) planes[to * pixels + i] = image.pixels[i * channels + c];
    }
    return planes;
}

Image read_picture(const fs::path& path, int channels) {
    if (!fs::is_regular_file(path)) fail("{}: no such picture", path.string());
    return decode_picture(path, {.channels = channels}).picture.image;
}

}  // namespace stl
