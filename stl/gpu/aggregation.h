// MogaNet's channel aggregation, channels last, in one pass over memory each way; all arithmetic in float32.
//
//   h = GELU(x),  d = w . h + b (one value a pixel),  y = h + sigma * (h - GELU(d))
//
// x, y: [P,C], P the pixels of all pictures; w, sigma: [C], b: [1], d: [P], float32. Going back, a pixel's
// part of d's gradient and x's gradient need the whole pixel; the gradients of w and sigma are sums over
// pixels, made in parts.
// Source: Li et al., "MogaNet" (ICLR 2024).
#pragma once

#include "stl/gpu/portable.h"

namespace stl::gpu {

struct AggregationTask {
    Type type = Type::float32;
    int channels = 0;
    Index pixels = 0;
    const void* x = nullptr;
    const float* weight = nullptr;
    const float* bias = nullptr;
    const float* sigma = nullptr;
    void* y = nullptr;
    float* dots = nullptr;  ///< d
    // Backward.
    const void* grad = nullptr;  ///< of y
    void* x_grad = nullptr;
    float* dot_grads = nullptr;  ///< [P], of d
    float* sums = nullptr;       ///< [parts,2,C]: of what is the gradient of w, and of sigma
    int parts = 1;               ///< of the pixels
};

/// Where worker `lane` of `lanes` finds its packs of a pixel: f(channel).
template <int V, class F>
STL_BOTH void aggregation_packs(const AggregationTask& t, int lane, int lanes, F f) {
    for (int channel = lane * V; channel < t.channels; channel += lanes * V) f(channel);
}

/// A worker's share of a pixel's w . GELU(x).
template <class T, int V>
STL_BOTH float aggregation_dot(const AggregationTask& t, Index pixel, int lane, int lanes) {
    float sum = 0;
    aggregation_packs<V>(t, lane, lanes, [&](int channel) {
        float x[V];
        load<T, V>(static_cast<const T*>(t.x) + pixel * t.channels + channel, x);
        STL_UNROLL for (int v = 0; v < V; ++v) sum += gelu(x[v]) * t.weight[channel + v];
    });
    return sum;
}

/// Its share of the pixel's y.
template <class T, int V>
STL_BOTH void aggregation_apply(const AggregationTask& t, Index pixel, float dot, int lane, int lanes) {
    const float shared = gelu(dot);
    aggregation_packs<V>(t, lane, lanes, [&](int channel) {
        const Index at = pixel * t.channels + channel;
        float x[V];
        load<T, V>(static_cast<const T*>(t.x) + at, x);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            const float h = gelu(x[v]);
            x[v] = h + t.sigma[channel + v] * (h - shared);
        }
        store<T, V>(x, static_cast<T*>(t.y) + at);
    });
}

/// Its share of sigma . grad.
template <class T, int V>
STL_BOTH float aggregation_grad_dot(const AggregationTask& t, Index pixel, int lane, int lanes) {
    float sum = 0;
    aggregation_packs<V>(t, lane, lanes, [&](int channel) {
        float grad[V];
        load<T, V>(static_cast<const T*>(t.grad) + pixel * t.channels + channel, grad);
        STL_UNROLL for (int v = 0; v < V; ++v) sum += grad[v] * t.sigma[channel + v];
    });
    return sum;
}

/// Its share of the pixel's x_grad.
template <class T, int V>
STL_BOTH void aggregation_gradient(const AggregationTask& t, Index pixel, float dot_grad, int lane,
                                   int lanes) {
    aggregation_packs<V>(t, lane, lanes, [&](int channel) {
        const Index at = pixel * t.channels + channel;
        float x[V], grad[V];
        load<T, V>(static_cast<const T*>(t.x) + at, x);
        load<T, V>(static_cast<const T*>(t.grad) + at, grad);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            const float of_h = grad[v] * (1.0F + t.sigma[channel + v]) + dot_grad * t.weight[channel + v];
            x[v] = of_h * gelu_slope(x[v]);
        }
        store<T, V>(x, static_cast<T*>(t.x_grad) + at);
    });
}

/// Worker `lane` of `lanes` over one part of the pixels: sums for V channels.
template <class T, int V>
STL_BOTH void aggregation_sums(const AggregationTask& t, int part, int channel, int lane, int lanes,
                               float (&sums)[2][V]) {
    const auto range = part_of(t.pixels, t.parts, part);
    for (Index pixel = range.first + lane; pixel < range.last; pixel += lanes) {
        const Index at = pixel * t.channels + channel;
        const float shared = gelu(t.dots[pixel]), dot_grad = t.dot_grads[pixel];
        float x[V], grad[V];
        load<T, V>(static_cast<const T*>(t.x) + at, x);
        load<T, V>(static_cast<const T*>(t.grad) + at, grad);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            const float h = gelu(x[v]);
            sums[0][v] += dot_grad * h;
            sums[1][v] += grad[v] * (h - shared);
        }
    }
}

}  // namespace stl::gpu
