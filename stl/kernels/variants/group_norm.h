// GroupNorm + SiLU in one pass, forward and backward, with or without PixelShuffle in front.
//
// z = gamma * (x - mean) * rstd + beta; out = z * sigmoid(z). The statistics do not depend on the shuffle,
// which only reorders a group's values.
#pragma once

#include <cmath>

#include "stl/kernels/kernels.h"
#include "stl/kernels/variants/functions.h"
#include "stl/kernels/variants/runs.h"

namespace stl::kernels::STL_VARIANT {

inline constexpr int chunk = 64;  ///< values at a time where pixels change places

/// Every second value of `in`, and back.
inline void take_every_second(const float* in, int count, float* out) {
    for (int i = 0; i < count; ++i) out[i] = in[2 * i];
}
inline void put_every_second(const float* in, int count, float* out) {
    for (int i = 0; i < count; ++i) out[2 * i] = in[i];
}

/// The i-th of a channel's four planes fills every second pixel of every second row.
inline Index shuffled_offset(const GroupNormSilu& g, int plane, int y) {
    return (static_cast<Index>(2 * y + plane / 2) * 2 * g.width) + plane % 2;
}

/// f(unshuffled, shuffled, n) for every run of n <= chunk values: where it begins before and after the
/// shuffle, from a channel's first value; after it the values are two apart.
template <class F>
inline void for_shuffled_runs(const GroupNormSilu& g, F f) {
    for (int p = 0; p < 4; ++p) {
        for (int y = 0; y < g.height; ++y) {
            const Index row = (static_cast<Index>(p) * g.height + y) * g.width, to = shuffled_offset(g, p, y);
            for (int x = 0; x < g.width; x += chunk)
                f(row + x, to + 2 * x, g.width - x < chunk ? g.width - x : chunk);
        }
    }
}

/// Values of one channel, before or after the shuffle.
inline Index channel_size(const GroupNormSilu& g) {
    return (g.shuffle ? 4 : 1) * static_cast<Index>(g.height) * g.width;
}

void group_norm_silu(const GroupNormSilu& g) {
    const Index size = channel_size(g), count = size * g.channels;
    const double mean = sum_of(g.in, g.in, count, [](Vec x, Vec) { return x; }) / static_cast<double>(count);
    const Vec centre = splat(static_cast<float>(mean));
    const double squares = sum_of(g.in, g.in, count, [&](Vec x, Vec) { return (x - centre) * (x - centre); });
    *g.mean = static_cast<float>(mean);
    *g.rstd =
        static_cast<float>(1 / std::sqrt(squares / static_cast<double>(count) + static_cast<double>(g.eps)));
    for (int c = 0; c < g.channels; ++c) {
        const float scale = g.gamma[c] * *g.rstd;
        const Vec a = splat(scale), b = splat(g.beta[c] - *g.mean * scale);
        const auto value = [&](Vec x, Vec) { return silu(x * a + b); };
        const float* in = g.in + c * size;
        float* out = g.out + c * size;
        if (!g.shuffle) {
            in_vectors(in, in, out, size, value);
            continue;
        }
        float part[chunk];
        for_shuffled_runs(g, [&](Index from, Index to, int n) {
            in_vectors(in + from, in + from, part, n, value);
            put_every_second(part, n, out + to);
        });
    }
}

void group_norm_silu_backward(const GroupNormSiluBackward& b) {
    const GroupNormSilu& g = b.forward;
    const Index size = channel_size(g);
    const Vec mean = splat(*g.mean), rstd = splat(*g.rstd), one = splat(1.0F);
    double gamma_sum = 0, gamma_product_sum = 0;
    for (int c = 0; c < g.channels; ++c) {
        const Vec gamma = splat(g.gamma[c]), beta = splat(g.beta[c]);
        const float* in = g.in + c * size;
        float* dz = b.in_grad + c * size;
        const auto slope = [&](Vec x, Vec grad) {
            const Vec z = (x - mean) * rstd * gamma + beta, s = sigmoid(z);
            return grad * s * (one + z * (one - s));
        };
        if (!g.shuffle) {
            in_vectors(in, b.grad + c * size, dz, size, slope);
        } else {
            const float* grad = b.grad + c * size;
            float part[chunk];
            for_shuffled_runs(g, [&](Index from, Index to, int n) {
                take_every_second(grad + to, n, part);
                in_vectors(in + from, part, dz + from, n, slope);
            });
        }
        const double sum_dz = sum_of(dz, dz, size, [](Vec d, Vec) { return d; });
        const double sum_product =
            sum_of(dz, in, size, [&](Vec d, Vec x) { return d * ((x - mean) * rstd); });
        b.beta_grad[c] = static_cast<float>(sum_dz);
        b.gamma_grad[c] = static_cast<float>(sum_product);
        gamma_sum += static_cast<double>(g.gamma[c]) * sum_dz;
        gamma_product_sum += static_cast<double>(g.gamma[c]) * sum_product;
    }
    const double count = static_cast<double>(size * g.channels);
    const Vec shift = splat(static_cast<float>(gamma_sum / count));
    const Vec slope = splat(static_cast<float>(gamma_product_sum / count));
    for (int c = 0; c < g.channels; ++c) {
        const Vec gamma = splat(g.gamma[c]);
        float* dz = b.in_grad + c * size;
        in_vectors(g.in + c * size, dz, dz, size,
                   [&](Vec x, Vec d) { return rstd * (gamma * d - shift - (x - mean) * rstd * slope); });
    }
}

}  // namespace stl::kernels::STL_VARIANT
