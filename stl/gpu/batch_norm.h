// BatchNorm in training, of x or of GELU(x), channels last. All arithmetic in float32.
//
// x, y: [P,C], P the pixels of all pictures; gamma, beta and statistics: [C] float32.
//
//   forward   batch_norm_part sums parts of the pixels; batch_norm_merge makes mean and 1/deviation of them
//             and moves the running statistics; batch_norm_apply
//   backward  batch_norm_gradient_sums, whose sums over parts are the gradients of gamma and beta; with their
//             means over P, batch_norm_gradient
// Source: Ioffe & Szegedy, "Batch Normalization" (ICML 2015).
#pragma once

#include "stl/gpu/portable.h"

namespace stl::gpu {

struct BatchNormTask {
    Type type = Type::float32;
    bool gelu = false;
    int channels = 0;
    Index pixels = 0;
    int parts = 1;  ///< of the pixels
    float eps = 0, momentum = 0;
    const void* x = nullptr;
    const float* gamma = nullptr;
    const float* beta = nullptr;
    void* y = nullptr;
    float* sums = nullptr;  ///< [parts,2,C]: of differences from the first pixel, and of their squares
    float* mean = nullptr;  ///< [C]
    float* rstd = nullptr;  ///< [C]
    float* running_mean = nullptr;  ///< [C], changed
    float* running_var = nullptr;   ///< [C], changed; unbiased
    // Backward.
    const void* grad = nullptr;       ///< of y
    float* gradient_sums = nullptr;   ///< [parts,2,C]: of grad * normalised x, and of grad
    const float* means_of = nullptr;  ///< [2,C]: their means over P
    void* x_grad = nullptr;
};

/// V channels of a pixel as they are normalised.
template <class T, int V>
STL_BOTH void batch_norm_read(const BatchNormTask& t, Index pixel, int channel, float (&to)[V]) {
    load<T, V>(static_cast<const T*>(t.x) + pixel * t.channels + channel, to);
    if (!t.gelu) return;
    STL_UNROLL for (int v = 0; v < V; ++v) to[v] = gelu(to[v]);
}

/// Worker `lane` of `lanes` over one part of the pixels: sums for V channels.
template <class T, int V>
STL_BOTH void batch_norm_part(const BatchNormTask& t, int part, int channel, int lane, int lanes,
                              float (&sums)[2][V]) {
    const auto range = part_of(t.pixels, t.parts, part);
    float origin[V];  // near the mean, so that squares don't cancel
    batch_norm_read<T, V>(t, 0, channel, origin);
    for (Index pixel = range.first + lane; pixel < range.last; pixel += lanes) {
        float x[V];
        batch_norm_read<T, V>(t, pixel, channel, x);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            const float d = x[v] - origin[v];
            sums[0][v] += d;
            sums[1][v] += d * d;
        }
    }
}

/// What one channel's sums over all pixels come to.
template <class T>
STL_BOTH void batch_norm_merge(const BatchNormTask& t, int channel, float sum, float squares) {
    float origin[1];
    batch_norm_read<T, 1>(t, 0, channel, origin);
    const float count = static_cast<float>(t.pixels), shift = sum / count;
    const float deviations = squares - sum * shift, all = deviations > 0 ? deviations : 0;
    const float mean = origin[0] + shift;
    t.mean[channel] = mean;
    t.rstd[channel] = 1.0F / sqrtf(all / count + t.eps);
    float& running_mean = t.running_mean[channel];
    float& running_var = t.running_var[channel];
    running_mean += t.momentum * (mean - running_mean);
    running_var += t.momentum * (all / (count - 1) - running_var);
}

template <int V>
STL_BOTH Index batch_norm_units(const BatchNormTask& t) {
    return t.pixels * (t.channels / V);
}

template <class T, int V>
STL_BOTH void batch_norm_apply(const BatchNormTask& t, Index unit) {
    const int packs = t.channels / V, channel = static_cast<int>(unit % packs) * V;
    float x[V], mean[V], rstd[V], gamma[V], beta[V];
    batch_norm_read<T, V>(t, unit / packs, channel, x);
    load_floats<V>(t.mean + channel, mean);
    load_floats<V>(t.rstd + channel, rstd);
    load_floats<V>(t.gamma + channel, gamma);
    load_floats<V>(t.beta + channel, beta);
    STL_UNROLL for (int v = 0; v < V; ++v) x[v] = (x[v] - mean[v]) * rstd[v] * gamma[v] + beta[v];
    store<T, V>(x, static_cast<T*>(t.y) + unit * V);
}

/// As batch_norm_part.
template <class T, int V>
STL_BOTH void batch_norm_gradient_sums(const BatchNormTask& t, int part, int channel, int lane, int lanes,
                                       float (&sums)[2][V]) {
    const auto range = part_of(t.pixels, t.parts, part);
    float mean[V], rstd[V];
    load_floats<V>(t.mean + channel, mean);
    load_floats<V>(t.rstd + channel, rstd);
    for (Index pixel = range.first + lane; pixel < range.last; pixel += lanes) {
        float x[V], grad[V];
        batch_norm_read<T, V>(t, pixel, channel, x);
        load<T, V>(static_cast<const T*>(t.grad) + pixel * t.channels + channel, grad);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            sums[0][v] += grad[v] * ((x[v] - mean[v]) * rstd[v]);
            sums[1][v] += grad[v];
        }
    }
}

template <class T, int V>
STL_BOTH void batch_norm_gradient(const BatchNormTask& t, Index unit) {
    const int packs = t.channels / V, channel = static_cast<int>(unit % packs) * V;
    float x[V], grad[V], mean[V], rstd[V], gamma[V], of_normal[V], of_grad[V];
    load<T, V>(static_cast<const T*>(t.x) + unit * V, x);
    load<T, V>(static_cast<const T*>(t.grad) + unit * V, grad);
    load_floats<V>(t.mean + channel, mean);
    load_floats<V>(t.rstd + channel, rstd);
    load_floats<V>(t.gamma + channel, gamma);
    load_floats<V>(t.means_of + channel, of_normal);
    load_floats<V>(t.means_of + t.channels + channel, of_grad);
    STL_UNROLL for (int v = 0; v < V; ++v) {
        const auto h = t.gelu ? gelu_with_slope(x[v]) : GeluWithSlope{x[v], 1};
        const float normal = (h.value - mean[v]) * rstd[v];
        grad[v] = gamma[v] * rstd[v] * (grad[v] - of_grad[v] - normal * of_normal[v]) * h.slope;
    }
    store<T, V>(grad, static_cast<T*>(t.x_grad) + unit * V);
}

}  // namespace stl::gpu
