// GroupNorm + SiLU, channels last, forward and backward, with or without PixelShuffle in front.
//
// z = gamma * (x - mean) * rstd + beta; out = z * sigmoid(z). A vector of channels at a time over a block of
// pixels, so that both stay in the first-level cache; sums are float within a block and double beyond.
#pragma once

#include <algorithm>
#include <cmath>

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/functions.h"
#include "stl/cpu/variants/pairs.h"
#include "stl/cpu/variants/runs.h"

namespace stl::cpu::STL_VARIANT {

/// Pixels that lie evenly before and after the shuffle.
struct PixelRun {
    Index in, in_row, out, out_row;
    int pixels;
};

/// f(run) for all pixels of a picture, in blocks.
template <class F>
inline void for_pixel_runs(const GroupNormSilu& g, F f) {
    constexpr int block = 64;
    const int lines = g.shuffle ? g.height : 1, places = g.shuffle ? 4 : 1;
    const int pixels = g.shuffle ? g.width : g.height * g.width;
    const Index in_row = static_cast<Index>(places) * g.channels, out_row = (g.shuffle ? 2 : 1) * g.channels;
    for (int y = 0; y < lines; ++y) {
        for (int p = 0; p < places; ++p) {
            const Index in = static_cast<Index>(y) * pixels * in_row + static_cast<Index>(p) * g.channels;
            const Index out = (static_cast<Index>(2 * y + p / 2) * 2 * pixels + p % 2) * g.channels;
            for (int x = 0; x < pixels; x += block)
                f(PixelRun{in + x * in_row, in_row, out + x * out_row, out_row, std::min(block, pixels - x)});
        }
    }
}

/// A group's statistics from sums of d and d^2 of its channels, d being the distance to `origin`.
inline void finish_statistics(const GroupNormSilu& g, int group, float origin, const double* sums,
                              const double* squares) {
    const int size = g.channels / g.groups;
    const double count = static_cast<double>(size) * g.height * g.width * (g.shuffle ? 4 : 1);
    double sum = 0, square = 0;
    for (int c = group * size; c < (group + 1) * size; ++c) {
        sum += sums[c];
        square += squares[c];
    }
    const double mean = sum / count, variance = square / count - mean * mean;
    g.mean[group] = static_cast<float>(static_cast<double>(origin) + mean);
    g.rstd[group] =
        static_cast<float>(1 / std::sqrt((variance > 0 ? variance : 0) + static_cast<double>(g.eps)));
}

/// A value of each group, of the picture's middle: sums of distances to it don't cancel.
template <class T>
inline float origin_of(const GroupNormSilu& g, int group) {
    const Index pixel = static_cast<Index>(g.height / 2) * g.width + g.width / 2;
    const Index channel = static_cast<Index>(group) * (g.channels / g.groups);
    return widen(static_cast<const T*>(g.in)[pixel * (g.shuffle ? 4 : 1) * g.channels + channel]);
}

template <class T>
void group_norm_silu_of(const GroupNormSilu& g) {
    const auto* in = static_cast<const T*>(g.in);
    auto* out = static_cast<T*>(g.out);
    const int size = g.channels / g.groups;
    double* sums = g.scratch;
    double* squares = sums + g.channels;
    auto* a = reinterpret_cast<float*>(squares + g.channels);
    float* b = a + g.channels;  // first the channels' origins
    for (int c = 0; c < g.channels; ++c) {
        sums[c] = squares[c] = 0;
        b[c] = origin_of<T>(g, c / size);
    }
    for_pixel_runs(g, [&](const PixelRun& run) {
        for_parts(g.channels, [&](auto part) {
            const Vec origin = part.of(b);
            Vec sum{}, square{};
            for (int i = 0; i < run.pixels; ++i) {
                const Vec d = part.of(in + run.in + i * run.in_row) - origin;
                sum += d;
                square += d * d;
            }
            part.add(sums, sum);
            part.add(squares, square);
        });
    });
    for (int group = 0; group < g.groups; ++group)
        finish_statistics(g, group, origin_of<T>(g, group), sums, squares);
    for (int c = 0; c < g.channels; ++c) {
        a[c] = g.gamma[c] * g.rstd[c / size];
        b[c] = g.beta[c] - g.mean[c / size] * a[c];
    }
    for_pixel_runs(g, [&](const PixelRun& run) {
        for_parts(g.channels, [&](auto part) {
            const Vec scale = part.of(a), shift = part.of(b);
            for (int i = 0; i < run.pixels; ++i) {
                part.put(out + run.out + i * run.out_row,
                         silu_for<T>(part.of(in + run.in + i * run.in_row) * scale + shift));
            }
        });
    });
}

void group_norm_silu(const GroupNormSilu& g) {
    with_type_of(g.precision, [&](auto type) { group_norm_silu_of<decltype(type)>(g); });
}

/// Gradient by z of silu(z), of z = x * scale + shift. `Quick`: good enough for what is rounded to bfloat16.
template <bool Quick>
inline Vec silu_gradient(Vec x, Vec scale, Vec shift, Vec grad) {
    const Vec z = x * scale + shift;
    if constexpr (Quick) return grad * quick_silu_slope(z);
    const Vec s = sigmoid(z);
    return grad * s * (splat(1.0F) + z * (splat(1.0F) - s));
}

template <class T>
void group_norm_silu_backward_of(const GroupNormSiluBackward& t) {
    const GroupNormSilu& g = t.forward;
    const auto* in = static_cast<const T*>(g.in);
    const auto* grad = static_cast<const T*>(t.grad);
    auto* in_grad = static_cast<T*>(t.in_grad);
    const int size = g.channels / g.groups;
    double* sums = g.scratch;              // of dz
    double* products = sums + g.channels;  // of dz * (x - mean)
    auto* a = reinterpret_cast<float*>(products + g.channels);
    float* b = a + g.channels;
    float* mean = b + g.channels;
    float* slope = mean + g.channels;
    float* constant = slope + g.channels;
    for (int c = 0; c < g.channels; ++c) {
        sums[c] = products[c] = 0;
        mean[c] = g.mean[c / size];
        a[c] = g.gamma[c] * g.rstd[c / size];
        b[c] = g.beta[c] - mean[c] * a[c];
    }
    for_pixel_runs(g, [&](const PixelRun& run) {
        for_parts(g.channels, [&](auto part) {
            const Vec scale = part.of(a), shift = part.of(b), centre = part.of(mean);
            Vec sum{}, product{};
            for (int i = 0; i < run.pixels; ++i) {
                const Vec x = part.of(in + run.in + i * run.in_row);
                const Vec dz =
                    silu_gradient<false>(x, scale, shift, part.of(grad + run.out + i * run.out_row));
                sum += dz;
                product += dz * (x - centre);
            }
            part.add(sums, sum);
            part.add(products, product);
        });
    });
    // in_grad = a * dz - (x - mean) * slope - constant, the latter two of a group.
    const double count = static_cast<double>(size) * g.height * g.width * (g.shuffle ? 4 : 1);
    for (int group = 0; group < g.groups; ++group) {
        const auto rstd = static_cast<double>(g.rstd[group]);
        double of_constant = 0, of_slope = 0;
        for (int c = group * size; c < (group + 1) * size; ++c) {
            t.beta_grad[c] = static_cast<float>(sums[c]);
            t.gamma_grad[c] = static_cast<float>(products[c] * rstd);
            of_constant += static_cast<double>(a[c]) * sums[c];
            of_slope += static_cast<double>(a[c]) * products[c];
        }
        for (int c = group * size; c < (group + 1) * size; ++c) {
            slope[c] = static_cast<float>(of_slope * rstd * rstd / count);
            constant[c] = static_cast<float>(of_constant / count);
        }
    }
    for_pixel_runs(g, [&](const PixelRun& run) {
        for_parts(g.channels, [&](auto part) {
            const Vec scale = part.of(a), shift = part.of(b), centre = part.of(mean), of_x = part.of(slope),
                      of_all = part.of(constant);
            for (int i = 0; i < run.pixels; ++i) {
                const Vec x = part.of(in + run.in + i * run.in_row);
                const Vec dz =
                    silu_gradient<rounds<T>>(x, scale, shift, part.of(grad + run.out + i * run.out_row));
                part.put(in_grad + run.in + i * run.in_row, scale * dz - (x - centre) * of_x - of_all);
            }
        });
    });
}

void group_norm_silu_backward(const GroupNormSiluBackward& t) {
    with_type_of(t.forward.precision, [&](auto type) { group_norm_silu_backward_of<decltype(type)>(t); });
}

}  // namespace stl::cpu::STL_VARIANT
