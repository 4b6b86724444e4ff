// MogaNet's gate: y = silu(a) * silu(b). a, b, y: runs of elements, in one order.
#pragma once

#include "stl/gpu/dispatch.h"

namespace stl::gpu {

struct SiluGateTask {
    Type type = Type::float32;
    Index size = 0;  ///< elements
    const void* a = nullptr;
    const void* b = nullptr;
    void* y = nullptr;
    // Backward.
    const void* grad = nullptr;
    void* a_grad = nullptr;
    void* b_grad = nullptr;
};

template <class T, int V>
STL_BOTH void silu_gate_forward(const SiluGateTask& t, Index unit) {
    float a[V], b[V];
    load<T, V>(static_cast<const T*>(t.a) + unit * V, a);
    load<T, V>(static_cast<const T*>(t.b) + unit * V, b);
    STL_UNROLL for (int v = 0; v < V; ++v) a[v] = silu(a[v]) * silu(b[v]);
    store<T, V>(a, static_cast<T*>(t.y) + unit * V);
}

template <class T, int V>
STL_BOTH void silu_gate_backward(const SiluGateTask& t, Index unit) {
    float a[V], b[V], grad[V];
    load<T, V>(static_cast<const T*>(t.a) + unit * V, a);
    load<T, V>(static_cast<const T*>(t.b) + unit * V, b);
    load<T, V>(static_cast<const T*>(t.grad) + unit * V, grad);
    STL_UNROLL for (int v = 0; v < V; ++v) {
        const float of_a = grad[v] * silu_slope(a[v]) * silu(b[v]);
        b[v] = grad[v] * silu(a[v]) * silu_slope(b[v]);
        a[v] = of_a;
    }
    store<T, V>(a, static_cast<T*>(t.a_grad) + unit * V);
    store<T, V>(b, static_cast<T*>(t.b_grad) + unit * V);
}

}  // namespace stl::gpu
