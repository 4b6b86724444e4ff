// From a task's run-time type and shape to the compile-time ones of its functions; the same for nvcc and g++.
#pragma once

#include <stdexcept>
#include <type_traits>

#include "stl/gpu/portable.h"

namespace stl::gpu {

template <int N>
using Constant = std::integral_constant<int, N>;

/// f(T{})
template <class F>
void with_element(Type type, F f) {
    switch (type) {
        case Type::float32:
            return f(float{});
        case Type::bfloat16:
            return f(Bf16{});
        case Type::float16:
            return f(Fp16{});
    }
}

/// f(T{}, Constant<V>): V elements of T at a time, `Bytes` in all, where every run of `run` of them can be
/// cut so; else one by one.
template <int Bytes, class F>
void with_type(Type type, Index run, F f) {
    with_element(type, [&](auto element) {
        constexpr int most = Bytes / sizeof(element);
        run % most == 0 ? f(element, Constant<most>{}) : f(element, Constant<1>{});
    });
}

/// The same with V = 4 for all types, where registers are scarce.
template <class F>
void with_type_by_four(Type type, Index run, F f) {
    with_element(type,
                 [&](auto element) { run % 4 == 0 ? f(element, Constant<4>{}) : f(element, Constant<1>{}); });
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
