// What the arithmetic of the kernels shares: functions that either compiler takes, narrow numbers, and values
// that are read and written several at a time. No header of LibTorch or CUDA here: nvcc and g++ both read
// these files, and quickly.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define STL_BOTH __host__ __device__ __forceinline__
#define STL_UNROLL _Pragma("unroll")
#define STL_UNROLL_BY_4 _Pragma("unroll 4")
#else
#define STL_UNROLL_BY_4
#define STL_BOTH inline
#define STL_UNROLL
#endif

namespace stl::gpu {

using Index = std::int64_t;

enum class Type { float32, bfloat16, float16 };

/// The upper half of a float.
struct Bf16 {
    std::uint16_t bits;
};
/// IEEE 754's half precision.
struct Fp16 {
    std::uint16_t bits;
};

STL_BOTH float float_of(std::uint32_t bits) {
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}
STL_BOTH std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

STL_BOTH float to_float(float value) {
    return value;
}
STL_BOTH float to_float(Bf16 value) {
    return float_of(static_cast<std::uint32_t>(value.bits) << 16);
}
STL_BOTH float to_float(Fp16 value) {
#ifdef __CUDA_ARCH__
    float out;
    asm("cvt.f32.f16 %0, %1;" : "=f"(out) : "h"(value.bits));
    return out;
#else
    constexpr float rebias = 0x1p112F;  // from a bias of 15 to one of 127, subnormals included
    const std::uint32_t sign = (value.bits & 0x8000U) << 16, rest = (value.bits & 0x7fffU) << 13;
    const bool finite = rest < 0x0f800000U;
    return float_of(sign | (finite ? bits_of(float_of(rest) * rebias) : rest | 0x7f800000U));
#endif
}

STL_BOTH void assign(float& to, float value) {
    to = value;
}
/// Rounded to the nearest, ties to even; NaN stays NaN.
STL_BOTH void assign(Bf16& to, float value) {
#ifdef __CUDA_ARCH__
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
#else
    const std::uint32_t bits = bits_of(value);
    const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    to.bits = static_cast<std::uint16_t>(value != value ? 0x7fffU : rounded);
#endif
}
/// The same; what is too large becomes infinite.
STL_BOTH void assign(Fp16& to, float value) {
#ifdef __CUDA_ARCH__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
#else
    constexpr std::uint32_t smallest_normal = 0x38800000U, beyond = 0x47800000U, infinite = 0x7f800000U;
    const std::uint32_t bits = bits_of(value), rest = bits & 0x7fffffffU;
    std::uint32_t half;
    if (rest > infinite) {
        half = 0x7fffU;
    } else if (rest >= beyond) {
        half = 0x7c00U;
    } else if (rest < smallest_normal) {  // beside 0.5 a float's last bit is worth a subnormal's
        half = bits_of(float_of(rest) + 0.5F) - bits_of(0.5F);
    } else {
        half = ((rest + 0x0fffU + ((rest >> 13) & 1U)) >> 13) - (112U << 10);
    }
    to.bits = static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | half);
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
/// V floats that go with V neighbours, such as their channels' numbers: by as few instructions as may be.
template <int V>
STL_BOTH void load_floats(const float* from, float (&to)[V]) {
    constexpr int width = V < 4 ? V : 4;
    STL_UNROLL for (int i = 0; i < V; i += width) {
        const auto pack = *reinterpret_cast<const Pack<float, width>*>(from + i);
        STL_UNROLL for (int j = 0; j < width; ++j) to[i + j] = pack.v[j];
    }
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

// On a GPU exponential and reciprocal are an instruction each, good to some 1e-7: the exact ones take twenty,
// and a branch that keeps the next value from being worked on.
STL_BOTH float exponential(float x) {
#ifdef __CUDA_ARCH__
    constexpr float log2_e = 1.44269504F;
    float out;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x * log2_e));
    return out;
#else
    return expf(x);
#endif
}
STL_BOTH float reciprocal(float x) {
#ifdef __CUDA_ARCH__
    float out;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
    return out;
#else
    return 1.0F / x;
#endif
}

STL_BOTH float sigmoid(float x) {
    return reciprocal(1.0F + exponential(-x));
}
/// The normal distribution's share below x.
STL_BOTH float normal_share(float x) {
    constexpr float root_half = 0.70710678F;
    return 0.5F * (1.0F + erff(x * root_half));
}
STL_BOTH float gelu(float x) {
    return x * normal_share(x);
}
/// With d gelu(x) / dx.
struct GeluWithSlope {
    float value, slope;
};
STL_BOTH GeluWithSlope gelu_with_slope(float x) {
    constexpr float density = 0.39894228F;  // of the normal distribution at 0
    const float share = normal_share(x);
    return {x * share, share + x * density * exponential(-0.5F * x * x)};
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
