// exp, erfc and the activations on vectors, to float accuracy (checked against double in the tests).
#pragma once

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <type_traits>

#include "stl/cpu/curves.h"
#include "stl/cpu/variants/simd.h"

namespace stl::cpu::STL_VARIANT {

/// Relative error below 2e-7; 0 below -87.3, finite above 88.
inline Vec exp(Vec x) {
    x = min(max(x, splat(-87.33F)), splat(88.37F));
    // x = n ln 2 + r, |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to an integer in the low bits.
    const Vec shifted = x * splat(1.44269504F) + splat(12582912.0F);
    const Vec n = shifted - splat(12582912.0F);
    const Vec r = (x - n * splat(0.693359375F)) + n * splat(2.12194440e-4F);
    Vec p = splat(1.98756915e-4F);
    p = p * r + splat(1.39819995e-3F);
    p = p * r + splat(8.33345192e-3F);
    p = p * r + splat(4.16657959e-2F);
    p = p * r + splat(1.66666655e-1F);
    p = p * r + splat(5.00000012e-1F);
    const Vec value = p * (r * r) + r + splat(1.0F);
    const IntVec exponent = (reinterpret_cast<IntVec>(shifted) << 23) + (127 << 23);
    return value * reinterpret_cast<Vec>(exponent);
}

/// 1 / x for positive x, relative error below 2e-7: a division of a whole AVX-512 vector takes as long as ten
/// multiplications.
inline Vec reciprocal(Vec x) {
#ifdef __AVX512F__
    const Vec guess = reinterpret_cast<Vec>(_mm512_maskz_rcp14_ps(0xffff, reinterpret_cast<__m512>(x)));
    return guess * (splat(2.0F) - x * guess);
#else
    return splat(1.0F) / x;
#endif
}

inline Vec sigmoid(Vec x) {
    return reciprocal(splat(1.0F) + exp(-x));
}

inline Vec silu(Vec x) {
    return x * sigmoid(x);
}

/// erfc(t / sqrt(2)) for t >= 0, absolute error below 2e-7: exp(-(t^2 / 2 + r(t))), r a polynomial fitted on
/// [0, 6].
inline Vec gaussian_tail(Vec t) {
    const Vec u = min(t, splat(6.0F));
    Vec r = splat(2.004531474e-08F);
    r = r * u - splat(5.985567668e-07F);
    r = r * u + splat(7.644013749e-06F);
    r = r * u - splat(5.320094715e-05F);
    r = r * u + splat(1.941128139e-04F);
    r = r * u + splat(9.202470892e-07F);
    r = r * u - splat(4.818536807e-03F);
    r = r * u + splat(3.635326773e-02F);
    r = r * u - splat(1.816940308e-01F);
    r = r * u + splat(7.978848219e-01F);
    return exp(-(r * u + t * t * splat(0.5F)));
}

struct ValueAndSlope {
    Vec value, slope;
};

/// GELU: x * P(x), slope P(x) + x * p(x); P and p are the normal distribution and its density.
inline ValueAndSlope gelu_and_slope(Vec x) {
    constexpr float density_at_0 = 0.39894228F;
    const Vec tail = splat(0.5F) * gaussian_tail(max(x, -x));
    const Vec probability = x >= Vec{} ? splat(1.0F) - tail : tail;
    const Vec density = splat(density_at_0) * exp(splat(-0.5F) * x * x);
    return {x * probability, probability + x * density};
}

inline ValueAndSlope silu_and_slope(Vec x) {
    const Vec s = sigmoid(x);
    return {x * s, s * (splat(1.0F) + x * (splat(1.0F) - s))};
}

// GELU for all results, and for those that are rounded to bfloat16 the other three quickly: by curves where the
// processor looks 32 values up at once.
#ifdef __AVX512F__
/// f(size).
inline Vec value_of(const Curve& f, Vec size) {
    const Vec shift = splat(12582912.0F);  // rounds to an integer, in the low bits
    const Vec u = min(size * splat(f.pieces_per_unit), splat(Curve::pieces - 1));
    const Vec rounded = u + shift, rest = u - (rounded - shift);
    const auto piece = reinterpret_cast<IntVec>(rounded);  // a lookup reads the lowest five bits
    const auto coefficient = [&](int power) {
        const float* values = f.coefficients[power];
        return reinterpret_cast<Vec>(_mm512_permutex2var_ps(reinterpret_cast<__m512>(load(values)),
                                                            reinterpret_cast<__m512i>(piece),
                                                            reinterpret_cast<__m512>(load(values + lanes))));
    };
    Vec value = coefficient(Curve::terms - 1);
    for (int power = Curve::terms - 2; power >= 0; --power) value = value * rest + coefficient(power);
    return value;
}

/// x/2 + |x| f(|x|).
inline Vec on_curve(const Curve& f, Vec x) {
    const Vec size = max(x, -x);
    return size * value_of(f, size) + x * splat(0.5F);
}
/// 1/2 + f(|x|), below zero 1/2 - f(|x|).
inline Vec slope_on_curve(const Curve& f, Vec x) {
    const Vec value = value_of(f, max(x, -x));
    return splat(0.5F) + (x < Vec{} ? -value : value);
}

/// Absolute error below 1e-7 * |x|.
inline Vec gelu(Vec x) {
    return on_curve(gelu_curve, x);
}
/// Absolute error below 4e-7 * |x|.
inline Vec quick_silu(Vec x) {
    return on_curve(silu_curve, x);
}
/// Absolute errors below 1e-6 and 3e-6.
inline Vec quick_gelu_slope(Vec x) {
    return slope_on_curve(gelu_slope_curve, x);
}
inline Vec quick_silu_slope(Vec x) {
    return slope_on_curve(silu_slope_curve, x);
}
#else
/// x * (1 + erf(x / sqrt(2))) / 2
inline Vec gelu(Vec x) {
    const Vec tail = splat(0.5F) * x * gaussian_tail(max(x, -x));
    return x >= Vec{} ? x - tail : tail;
}
inline Vec quick_silu(Vec x) {
    return silu(x);
}
inline Vec quick_gelu_slope(Vec x) {
    return gelu_and_slope(x).slope;
}
inline Vec quick_silu_slope(Vec x) {
    return silu_and_slope(x).slope;
}
#endif

/// Whether results stored as T are rounded, so that the quick functions are exact enough for them.
template <class T>
inline constexpr bool rounds = std::is_same_v<T, Bfloat16>;

/// As exact as a result that is stored as T needs.
template <class T>
inline Vec silu_for(Vec x) {
    if constexpr (rounds<T>) return quick_silu(x);
    return silu(x);
}
template <class T>
inline Vec gelu_slope_for(Vec x) {
    if constexpr (rounds<T>) return quick_gelu_slope(x);
    return gelu_and_slope(x).slope;
}

}  // namespace stl::cpu::STL_VARIANT
