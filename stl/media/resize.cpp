#include "stl/media/resize.h"

#include <algorithm>
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

/// One row [columns, components] of sums into one output row.
void gather_row(const float* row, const AxisTaps& axis, int components, float* out) {
    for (const auto& tap : axis.taps) {
        const float* weights = axis.values.data() + tap.weights;
        for (int c = 0; c < components; ++c) {
            float sum = 0;
            const float* p = row + static_cast<std::size_t>(tap.first) * components + c;
            for (int k = 0; k < tap.count; ++k)
                sum += weights[k] * p[static_cast<std::size_t>(k) * components];
            *out++ = sum;
        }
    }
}

}  // namespace

AxisTaps make_taps(int size, double from, double to, int out) {
    if (size <= 0 || out <= 0 || !(to > from)) fail("resizing {} samples to {}: no such size", size, out);
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
    const std::size_t count = static_cast<std::size_t>(end - begin) * n;
    scratch.resize(static_cast<std::size_t>(plane.width) * n);
    float* acc = scratch.data() + static_cast<std::size_t>(begin) * n;
    float* to = out.data();
    for (const auto& tap : vertical.taps) {
        for (int k = 0; k < tap.count; ++k) {
            const std::uint8_t* row = plane.data + plane.stride * (tap.first + k);
            const float weight = vertical.values[tap.weights + static_cast<std::size_t>(k)];
            const std::size_t offset = static_cast<std::size_t>(begin) * n;
            if (plane.wide) {
                accumulate_row(acc, reinterpret_cast<const std::uint16_t*>(row) + offset, weight, count,
                               k == 0);
            } else {
                accumulate_row(acc, row + offset, weight, count, k == 0);
            }
        }
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
