// A block's sum with its branch, channels last: layer scale, stochastic depth and the sum in one pass.
//
//   y = x + keep[n] * scale[c] * branch; without gradients also y = x_scale[c] * x + ..., what is left of a norm
//   that was folded away
//
// x, branch, y: [N,pixels,C]; scale, x_scale: [C], keep: [N], float32. The branch may be narrower than x: mixed
// precision keeps the sums of blocks in float32.
#pragma once

#include "stl/gpu/dispatch.h"

namespace stl::gpu {

struct ResidualTask {
    Type type = Type::float32;         ///< of x, y and grad
    Type branch_type = Type::float32;  ///< of branch and its gradient: the same, or narrower
    int batch = 0, channels = 0;
    Index pixels = 0;
    const void* x = nullptr;
    const void* branch = nullptr;
    const float* scale = nullptr;    ///< [C]; null: 1
    const float* keep = nullptr;     ///< [N]; null: 1
    const float* x_scale = nullptr;  ///< [C]; null: 1; only read by the forward kernel
    void* y = nullptr;
    // Backward: x's gradient is y's; scale is not null.
    const void* grad = nullptr;
    void* branch_grad = nullptr;
    float* sums = nullptr;  ///< [N,parts,C], whose sum over both is the gradient of scale
    int parts = 1;          ///< of a picture's pixels

    STL_BOTH float kept(int n) const { return keep != nullptr ? keep[n] : 1.0F; }
};

template <int V>
STL_BOTH Index residual_units(const ResidualTask& t) {
    return t.batch * t.pixels * (t.channels / V);
}

template <class T, class B, int V>
STL_BOTH void residual_forward(const ResidualTask& t, Index unit) {
    const int packs = t.channels / V, channel = static_cast<int>(unit % packs) * V;
    const float keep = t.kept(static_cast<int>(unit / packs / t.pixels));
    float x[V], branch[V];
    load<T, V>(static_cast<const T*>(t.x) + unit * V, x);
    load<B, V>(static_cast<const B*>(t.branch) + unit * V, branch);
    if (t.x_scale != nullptr) {
        float scale[V];
        load_floats<V>(t.x_scale + channel, scale);
        STL_UNROLL for (int v = 0; v < V; ++v) x[v] *= scale[v];
    }
    if (t.scale != nullptr) {
        float scale[V];
        load_floats<V>(t.scale + channel, scale);
        STL_UNROLL for (int v = 0; v < V; ++v) x[v] += keep * scale[v] * branch[v];
    } else {
        STL_UNROLL for (int v = 0; v < V; ++v) x[v] += keep * branch[v];
    }
    store<T, V>(x, static_cast<T*>(t.y) + unit * V);
}

/// Worker `lane` of `lanes` over one part of a picture: writes branch_grad, sums for V channels.
template <class T, class B, int V>
STL_BOTH void residual_backward(const ResidualTask& t, int n, int part, int channel, int lane, int lanes,
                                float (&sums)[V]) {
    const auto range = part_of(t.pixels, t.parts, part);
    const float keep = t.kept(n);
    float scale[V];
    load_floats<V>(t.scale + channel, scale);
    STL_UNROLL for (int v = 0; v < V; ++v) sums[v] = 0;
    for (Index pixel = range.first + lane; pixel < range.last; pixel += lanes) {
        const Index at = (n * t.pixels + pixel) * t.channels + channel;
        float grad[V], branch[V];
        load<T, V>(static_cast<const T*>(t.grad) + at, grad);
        load<B, V>(static_cast<const B*>(t.branch) + at, branch);
        STL_UNROLL for (int v = 0; v < V; ++v) {
            grad[v] *= keep;
            sums[v] += grad[v] * branch[v];
            grad[v] *= scale[v];
        }
        store<B, V>(grad, static_cast<B*>(t.branch_grad) + at);
    }
}

/// f(T{}, B{}, Constant<V>)
template <class F>
void with_residual(const ResidualTask& t, F f) {
    with_type_by_four(t.type, t.channels, [&](auto type, auto width) {
        if constexpr (std::is_same_v<decltype(type), float>) {
            if (t.branch_type == Type::bfloat16) return f(type, Bf16{}, width);
            if (t.branch_type == Type::float16) return f(type, Fp16{}, width);
        }
        if (t.branch_type != t.type)
            throw std::invalid_argument("residual: the branch has a different type from x");
        f(type, type, width);
    });
}

}  // namespace stl::gpu
