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

struct ChannelAggregationTask {
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

/// Packs of a pixel that a worker keeps from the pixel's sum to what is made with it; more are read again.
inline constexpr int aggregation_kept = 2;

/// What worker `lane` of `lanes` does with its packs of a pixel: kept(channel, values) with the first ones,
/// more(channel) with those beyond.
template <int V, class Kept, class More>
STL_BOTH void aggregation_packs(const ChannelAggregationTask& t, int lane, int lanes,
                                float (&values)[aggregation_kept][V], Kept kept, More more) {
    int channel = lane * V;
    STL_UNROLL for (int i = 0; i < aggregation_kept; ++i) {
        if (channel < t.channels) kept(channel, values[i]);
        channel += lanes * V;
    }
    for (; channel < t.channels; channel += lanes * V) more(channel);
}

/// V values of GELU(x).
template <class T, int V>
STL_BOTH void aggregation_read(const ChannelAggregationTask& t, Index pixel, int channel, float (&h)[V]) {
    load<T, V>(static_cast<const T*>(t.x) + pixel * t.channels + channel, h);
    STL_UNROLL for (int v = 0; v < V; ++v) h[v] = gelu(h[v]);
}

template <int V>
STL_BOTH float aggregation_product(const float (&values)[V], const float* by) {
    float factors[V], sum = 0;
    load_floats<V>(by, factors);
    STL_UNROLL for (int v = 0; v < V; ++v) sum += values[v] * factors[v];
    return sum;
}

/// A worker's share of a pixel's w . GELU(x); h: what it keeps of GELU(x).
template <class T, int V>
STL_BOTH float aggregation_dot(const ChannelAggregationTask& t, Index pixel, int lane, int lanes,
                               float (&h)[aggregation_kept][V]) {
    float sum = 0;
    const auto add = [&](int channel, float(&values)[V]) {
        aggregation_read<T, V>(t, pixel, channel, values);
        sum += aggregation_product<V>(values, t.weight + channel);
    };
    aggregation_packs<V>(t, lane, lanes, h, add, [&](int channel) {
        float values[V];
        add(channel, values);
    });
    return sum;
}

/// Its share of the pixel's y.
template <class T, int V>
STL_BOTH void aggregation_apply(const ChannelAggregationTask& t, Index pixel, float dot, int lane, int lanes,
                                float (&h)[aggregation_kept][V]) {
    const float shared = gelu(dot);
    const auto write = [&](int channel, float(&values)[V]) {
        float sigma[V];
        load_floats<V>(t.sigma + channel, sigma);
        STL_UNROLL for (int v = 0; v < V; ++v) values[v] += sigma[v] * (values[v] - shared);
        store<T, V>(values, static_cast<T*>(t.y) + pixel * t.channels + channel);
    };
    aggregation_packs<V>(t, lane, lanes, h, write, [&](int channel) {
        float values[V];
        aggregation_read<T, V>(t, pixel, channel, values);
        write(channel, values);
    });
}

/// Its share of sigma . grad; grad: what it keeps of that.
template <class T, int V>
STL_BOTH float aggregation_grad_dot(const ChannelAggregationTask& t, Index pixel, int lane, int lanes,
                                    float (&grad)[aggregation_kept][V]) {
    float sum = 0;
    const auto add = [&](int channel, float(&values)[V]) {
        load<T, V>(static_cast<const T*>(t.grad) + pixel * t.channels + channel, values);
        sum += aggregation_product<V>(values, t.sigma + channel);
    };
    aggregation_packs<V>(t, lane, lanes, grad, add, [&](int channel) {
        float values[V];
        add(channel, values);
    });
    return sum;
}

/// Its share of the pixel's x_grad.
template <class T, int V>
STL_BOTH void aggregation_gradient(const ChannelAggregationTask& t, Index pixel, float dot_grad, int lane,
                                   int lanes, float (&grad)[aggregation_kept][V]) {
    const auto write = [&](int channel, float(&values)[V]) {
        const Index at = pixel * t.channels + channel;
        float x[V], sigma[V], weight[V];
        load<T, V>(static_cast<const T*>(t.x) + at, x);
        load_floats<V>(t.sigma + channel, sigma);
        load_floats<V>(t.weight + channel, weight);
        STL_UNROLL for (int v = 0; v < V; ++v) x[v] =
            (values[v] * (1.0F + sigma[v]) + dot_grad * weight[v]) * gelu_with_slope(x[v]).slope;
        store<T, V>(x, static_cast<T*>(t.x_grad) + at);
    };
    aggregation_packs<V>(t, lane, lanes, grad, write, [&](int channel) {
        float values[V];
        load<T, V>(static_cast<const T*>(t.grad) + pixel * t.channels + channel, values);
        write(channel, values);
    });
}

/// Worker `lane` of `lanes` over one part of the pixels: sums for V channels.
template <class T, int V>
STL_BOTH void aggregation_sums(const ChannelAggregationTask& t, int part, int channel, int lane, int lanes,
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
