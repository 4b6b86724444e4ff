#include "stl/media/resize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "stl/core/error.h"

namespace stl {
namespace {

void add_tap(AxisTaps& axis, int first, std::span<const double> weights) {
    double sum = 0;
    for (const double w : weights) sum += w;
    axis.taps.push_back({first, static_cast<int>(weights.size()), axis.values.size()});
    for (const double w : weights) axis.values.push_back(static_cast<float>(w / sum));
}

/// Overlap of [from, to) with every sample's own unit.
void add_area(AxisTaps& axis, int size, double from, double to, std::vector<double>& weights) {
    const int first = std::clamp(static_cast<int>(std::floor(from)), 0, size - 1);
    const int last = std::clamp(static_cast<int>(std::ceil(to)) - 1, first, size - 1);
    weights.clear();
    for (int i = first; i <= last; ++i) {
        weights.push_back(std::max(std::min(to, i + 1.0) - std::max(from, double(i)), 0.0));
    }
    if (weights.size() == 1) weights[0] = 1;
    add_tap(axis, first, weights);
}

void add_linear(AxisTaps& axis, int size, double center) {
    const double x = std::clamp(center - 0.5, 0.0, size - 1.0);
    const int first = std::min(static_cast<int>(x), std::max(size - 2, 0));
    const double fraction = x - first;
    if (size == 1 || fraction == 0) return add_tap(axis, first, std::vector<double>{1.0});
    if (fraction == 1) return add_tap(axis, first + 1, std::vector<double>{1.0});
    add_tap(axis, first, std::vector<double>{1 - fraction, fraction});
}

/// acc[i] (+)= weight * row[i]; the hot loop, one pass over every source sample. Cloned for wider vectors,
/// chosen when the program starts; additions keep their order, so all clones give the same sums.
template <bool first, class Sample>
inline __attribute__((always_inline)) void accumulate(float* __restrict acc, const Sample* __restrict row,
                                                      float weight, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const float value = weight * static_cast<float>(row[i]);
        acc[i] = first ? value : acc[i] + value;
    }
}

__attribute__((target_clones("avx2", "default"))) void accumulate_row(float* acc, const std::uint8_t* row,
                                                                      float weight, std::size_t count,
                                                                      bool first) {
    if (first)
        accumulate<true>(acc, row, weight, count);
    else
        accumulate<false>(acc, row, weight, count);
}

__attribute__((target_clones("avx2", "default"))) void accumulate_row(float* acc, const std::uint16_t* row,
                                                                      float weight, std::size_t count,
                                                                      bool first) {
    if (first)
        accumulate<true>(acc, row, weight, count);
    else
        accumulate<false>(acc, row, weight, count);
}

/// sums[i] += row[i] of n rows. Most rows of an area count alike: adding them up as integers is quick, and
/// exact.
__attribute__((target_clones("avx2", "default"))) void sum_rows(std::uint16_t* __restrict sums,
                                                                const std::uint8_t* rows,
                                                                std::ptrdiff_t stride, int n,
                                                                std::size_t count) {
    int k = 0;
    for (; k + 4 <= n; k += 4) {
        const std::uint8_t *a = rows + k * stride, *b = a + stride, *c = b + stride, *d = c + stride;
        for (std::size_t i = 0; i < count; ++i)
            sums[i] = static_cast<std::uint16_t>(sums[i] + a[i] + b[i] + c[i] + d[i]);
    }
    for (; k < n; ++k) {
        const std::uint8_t* a = rows + k * stride;
        for (std::size_t i = 0; i < count; ++i) sums[i] = static_cast<std::uint16_t>(sums[i] + a[i]);
    }
}

constexpr int most_rows_summed = 257;  // of 255 each: what 16 bits hold

/// The rows of one output row, weighted, from column `begin` of the plane on.
class RowSum {
  public:
    RowSum(const PlaneView& plane, std::size_t begin, std::span<float> acc)
        : plane_(plane), offset_(begin * static_cast<std::size_t>(plane.components)), acc_(acc) {
        if (!plane.wide) sums_.resize(acc.size());
    }

    void add(const AxisTaps::Tap& tap, const float* weights) {
        bool first = true;
        for (int k = 0; k < tap.count; first = false) {
            int n = 1;
            while (!plane_.wide && k + n < tap.count && n < most_rows_summed && weights[k + n] == weights[k])
                ++n;
            add_rows(tap.first + k, n, weights[k], first);
            k += n;
        }
    }

  private:
    void add_rows(int row, int n, float weight, bool first) {
        const std::uint8_t* from = plane_.data + plane_.stride * row;
        if (plane_.wide) {
            accumulate_row(acc_.data(), reinterpret_cast<const std::uint16_t*>(from) + offset_, weight,
                           acc_.size(), first);
        } else if (n == 1) {
            accumulate_row(acc_.data(), from + offset_, weight, acc_.size(), first);
        } else {
            std::fill(sums_.begin(), sums_.end(), std::uint16_t{0});
            sum_rows(sums_.data(), from + offset_, plane_.stride, n, sums_.size());
            accumulate_row(acc_.data(), sums_.data(), weight, acc_.size(), first);
        }
    }

    const PlaneView& plane_;
    std::size_t offset_;
    std::span<float> acc_;
    std::vector<std::uint16_t> sums_;
};

/// In four sums side by side, which the processor can keep going at once.
float dot(const float* a, const float* b, int count) {
    std::array<float, 4> sums{};
    int k = 0;
    for (; k + 4 <= count; k += 4) {
        for (int j = 0; j < 4; ++j) sums[static_cast<std::size_t>(j)] += a[k + j] * b[k + j];
    }
    float rest = 0;
    for (; k < count; ++k) rest += a[k] * b[k];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest;
}

/// One row [columns, components] of sums into one output row.
void gather_row(const float* row, const AxisTaps& axis, int components, float* out) {
    for (const auto& tap : axis.taps) {
        const float* weights = axis.values.data() + tap.weights;
        const float* p = row + static_cast<std::size_t>(tap.first) * components;
        if (components == 1) {
            *out++ = dot(weights, p, tap.count);
            continue;
        }
        for (int c = 0; c < components; ++c) {
            float sum = 0;
            for (int k = 0; k < tap.count; ++k)
                sum += weights[k] * p[static_cast<std::size_t>(k) * components + c];
            *out++ = sum;
        }
    }
}

}  // namespace

AxisTaps make_taps(int size, double from, double to, int out) {
    if (size <= 0 || out <= 0 || !(to > from)) fail("cannot resize {} samples to {}", size, out);
    AxisTaps axis;
    std::vector<double> weights;
    const double step = (to - from) / out;
    for (int i = 0; i < out; ++i) {
        const double begin = from + i * step;
        if (step >= 1)
            add_area(axis, size, begin, begin + step, weights);
        else
            add_linear(axis, size, begin + step / 2);
    }
    return axis;
}

void resize_plane(const PlaneView& plane, const AxisTaps& vertical, const AxisTaps& horizontal,
                  std::vector<float>& scratch, std::span<float> out) {
    const auto n = static_cast<std::size_t>(plane.components);
    // Only the columns that some output needs.
    int begin = plane.width, end = 0;
    for (const auto& tap : horizontal.taps) {
        begin = std::min(begin, tap.first);
        end = std::max(end, tap.first + tap.count);
    }
    scratch.resize(static_cast<std::size_t>(plane.width) * n);
    const auto first = static_cast<std::size_t>(begin), last = static_cast<std::size_t>(end);
    RowSum sum(plane, first, std::span(scratch).subspan(first * n, (last - first) * n));
    float* to = out.data();
    for (const auto& tap : vertical.taps) {
        sum.add(tap, vertical.values.data() + tap.weights);
        gather_row(scratch.data(), horizontal, plane.components, to);
        to += horizontal.taps.size() * n;
    }
}

void resize_floats(std::span<const float> plane, int width, const AxisTaps& vertical,
                   const AxisTaps& horizontal, std::vector<float>& scratch, std::span<float> out) {
    const auto n = static_cast<std::size_t>(width);
    float* to = out.data();
    for (const auto& tap : vertical.taps) {
        scratch.assign(n, 0.0F);
        for (int k = 0; k < tap.count; ++k) {
            const float* row = plane.data() + static_cast<std::size_t>(tap.first + k) * n;
            const float weight = vertical.values[tap.weights + static_cast<std::size_t>(k)];
            for (std::size_t i = 0; i < n; ++i) scratch[i] += weight * row[i];
        }
        gather_row(scratch.data(), horizontal, 1, to);
        to += horizontal.taps.size();
    }
}

Image resize(const Image& image, int height, int width) {
    if (image.height == height && image.width == width) return image;
    Image out(height, width, image.channels);
    std::vector<float> scratch, values(out.pixels.size());
    resize_plane({image.pixels.data(), static_cast<std::ptrdiff_t>(image.row_size()), image.height,
                  image.width, image.channels},
                 make_taps(image.height, 0, image.height, height),
                 make_taps(image.width, 0, image.width, width), scratch, values);
    std::transform(values.begin(), values.end(), out.pixels.begin(),
                   [](float v) { return static_cast<std::uint8_t>(std::clamp(v + 0.5F, 0.0F, 255.0F)); });
    return out;
}

}  // namespace stl
