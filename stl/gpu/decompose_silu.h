// MogaNet's feature decomposition, channels last; all arithmetic in float32.
//
//   u = x + sigma * (x - mean),  y = SiLU(u)
//
// x, y: [N,P,C], P a picture's pixels; mean: [N,C], of x over them, sigma: [C], float32. Going back the sums
// of u's gradient over a picture's pixels, made in parts, come before x's gradient, in which each pixel has
// its share of the mean's. Source: Li et al., "MogaNet" (ICLR 2024).
#pragma once

#include "stl/gpu/portable.h"

namespace stl::gpu {

struct DecomposeSiluTask {
    Type type = Type::float32;
    int batch = 0, channels = 0;
    Index pixels = 0;
    const void* x = nullptr;
    const float* mean = nullptr;
    const float* sigma = nullptr;
    void* y = nullptr;
    // Backward.
    const void* grad = nullptr;      ///< of y
    float* sums = nullptr;           ///< [N,parts,2,C]: of u's gradient, and of what is sigma's
    int parts = 1;                   ///< of a picture's pixels
    const float* mean_of = nullptr;  ///< [N,C]: of u's gradient over the pixels
    void* x_grad = nullptr;
};

template <int V>
STL_BOTH Index decomposition_units(const DecomposeSiluTask& t) {
    return t.batch * t.pixels * (t.channels / V);
}

/// Where V values lie.
struct DecompositionPlace {
    int channel;
    Index mean;  ///< of the first one's mean
};
template <int V>
STL_BOTH DecompositionPlace decomposition_place(const DecomposeSiluTask& t, Index unit) {
    const int packs = t.channels / V, channel = static_cast<int>(unit % packs) * V;
    return {channel, unit / packs / t.pixels * t.channels + channel};
}

template <class T, int V>
STL_BOTH void decomposition_forward(const DecomposeSiluTask& t, Index unit) {
    const auto place = decomposition_place<V>(t, unit);
    float x[V], sigma[V], mean[V];
    load<T, V>(static_cast<const T*>(t.x) + unit * V, x);
    load_floats<V>(t.sigma + place.channel, sigma);
    load_floats<V>(t.mean + place.mean, mean);
    STL_UNROLL for (int v = 0; v < V; ++v) x[v] = silu(x[v] + sigma[v] * (x[v] - mean[v]));
    store<T, V>(x, static_cast<T*>(t.y) + unit * V);
}

/// V values of x, less their means, and u's gradient.
template <class T, int V>
STL_BOTH void decomposition_slopes(const DecomposeSiluTask& t, const float (&sigma)[V],
                                   const float (&mean)[V], Index at, float (&x)[V], float (&grad)[V]) {
    load<T, V>(static_cast<const T*>(t.x) + at, x);
    load<T, V>(static_cast<const T*>(t.grad) + at, grad);
    STL_UNROLL for (int v = 0; v < V; ++v) {
        const float difference = x[v] - mean[v];
        grad[v] *= silu_slope(x[v] + sigma[v] * difference);
        x[v] = difference;
    }
}

/// Worker `lane` of `lanes` over one part of a picture: sums for V channels.
template <class T, int V>
STL_BOTH void decomposition_sums(const DecomposeSiluTask& t, int n, int part, int channel, int lane,
                                 int lanes, float (&sums)[2][V]) {
    const auto range = part_of(t.pixels, t.parts, part);
    float sigma[V], mean[V];
    load_floats<V>(t.sigma + channel, sigma);
    load_floats<V>(t.mean + static_cast<Index>(n) * t.channels + channel, mean);
    for (Index pixel = range.first + lane; pixel < range.last; pixel += lanes) {
        float x[V], grad[V];
        decomposition_slopes<T, V>(t, sigma, mean, (n * t.pixels + pixel) * t.channels + channel, x, grad);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            sums[0][v] += grad[v];
            sums[1][v] += grad[v] * x[v];
        }
    }
}

template <class T, int V>
STL_BOTH void decomposition_gradient(const DecomposeSiluTask& t, Index unit) {
    const auto place = decomposition_place<V>(t, unit);
    float x[V], grad[V], sigma[V], mean[V], mean_of[V];
    load_floats<V>(t.sigma + place.channel, sigma);
    load_floats<V>(t.mean + place.mean, mean);
    load_floats<V>(t.mean_of + place.mean, mean_of);
    decomposition_slopes<T, V>(t, sigma, mean, unit * V, x, grad);
    STL_UNROLL for (int v = 0; v < V; ++v) grad[v] += sigma[v] * (grad[v] - mean_of[v]);
    store<T, V>(grad, static_cast<T*>(t.x_grad) + unit * V);
}

}  // namespace stl::gpu
