// What the arithmetic of the kernels shares: functions that either compiler takes, bfloat16, and values that
// are read and written several at a time. No header of LibTorch or CUDA here: nvcc and g++ both read these
// files, and quickly.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define STL_BOTH __host__ __device__ __forceinline__
#define STL_UNROLL _Pragma("unroll")
#else
#define STL_BOTH inline
#define STL_UNROLL
#endif

namespace stl::gpu {

using Index = std::int64_t;

enum class Type { float32, bfloat16 };

/// The upper half of a float.
struct Bf16 {
    std::uint16_t bits;
};

STL_BOTH float to_float(float value) {
    return value;
}
STL_BOTH float to_float(Bf16 value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

STL_BOTH void assign(float& to, float value) {
    to = value;
}
/// Rounded to the nearest, ties to even; NaN stays NaN.
STL_BOTH void assign(Bf16& to, float value) {
#ifdef __CUDA_ARCH__
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
#else
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    to.bits = static_cast<std::uint16_t>(value != value ? 0x7fffU : rounded);
#endif
}

/// V neighbours in memory, read or written by one instruction.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
    T v[V];
};

template <class T, int V>
STL_BOTH void load(const T* from, float (&to)[V]) {
    const auto pack = *reinterpret_cast<const Pack<T, V>*>(from);
    STL_UNROLL for (int i = 0; i < V; ++i) to[i] = to_float(pack.v[i]);
}
template <class T, int V>
STL_BOTH void store(const float (&from)[V], T* to) {
    Pack<T, V> pack;
    STL_UNROLL for (int i = 0; i < V; ++i) assign(pack.v[i], from[i]);
    *reinterpret_cast<Pack<T, V>*>(to) = pack;
}

/// Part `part` of `parts` equal ones (the first are one longer) of [0, size).
struct Range {
    Index first, last;
};
STL_BOTH Range part_of(Index size, int parts, int part) {
    const Index each = size / parts, more = size % parts;
    const Index first = part * each + (part < more ? part : more);
    return {first, first + each + (part < more ? 1 : 0)};
}

STL_BOTH float sigmoid(float x) {
    return 1.0F / (1.0F + expf(-x));
}
STL_BOTH float silu(float x) {
    return x * sigmoid(x);
}
/// d silu(x) / dx
STL_BOTH float silu_slope(float x) {
    const float s = sigmoid(x);
    return s * (1.0F + x * (1.0F - s));
}

}  // namespace stl::gpu
