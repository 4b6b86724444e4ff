// From a task's run-time type and shape to the compile-time ones of its functions; the same for nvcc and g++.
#pragma once

#include <stdexcept>
#include <type_traits>

#include "stl/gpu/portable.h"

namespace stl::gpu {

template <int N>
using Constant = std::integral_constant<int, N>;

/// f(T{}, Constant<V>): V elements of T at a time, `Bytes` in all, where every run of `run` of them can be
/// cut so; else one by one.
template <int Bytes, class F>
void with_type(Type type, Index run, F f) {
    constexpr int floats = Bytes / sizeof(float), bf16s = Bytes / sizeof(Bf16);
    if (type == Type::float32) {
        run % floats == 0 ? f(float{}, Constant<floats>{}) : f(float{}, Constant<1>{});
    } else {
        run % bf16s == 0 ? f(Bf16{}, Constant<bf16s>{}) : f(Bf16{}, Constant<1>{});
    }
}

/// The same with V = 4 for both types, where registers are scarce.
template <class F>
void with_type_by_four(Type type, Index run, F f) {
    const bool wide = run % 4 == 0;
    if (type == Type::float32) {
        wide ? f(float{}, Constant<4>{}) : f(float{}, Constant<1>{});
    } else {
        wide ? f(Bf16{}, Constant<4>{}) : f(Bf16{}, Constant<1>{});
    }
}

/// f(Constant<K>) for a depthwise kernel's size.
template <class F>
void with_kernel(int kernel, F f) {
    switch (kernel) {
        case 3:
            return f(Constant<3>{});
        case 5:
            return f(Constant<5>{});
        case 7:
            return f(Constant<7>{});
        default:
            throw std::invalid_argument("depthwise kernels are 3, 5 or 7 wide");
    }
}

}  // namespace stl::gpu
