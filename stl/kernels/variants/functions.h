// exp, erfc and the activations on vectors, to float accuracy (checked against double in the tests).
#pragma once

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "stl/kernels/curves.h"
#include "stl/kernels/variants/simd.h"

namespace stl::kernels::STL_VARIANT {

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

#ifdef __AVX512F__
/// x/2 + |x| f(|x|).
inline Vec on_curve(const Curve& f, Vec x) {
    const Vec size = max(x, -x), shift = splat(12582912.0F);  // rounds to an integer, in the low bits
    const Vec u = min(size * splat(f.pieces_per_unit), splat(Curve::pieces - 1));
    const Vec rounded = u + shift, rest = u - (rounded - shift);
    const auto piece = reinterpret_cast<IntVec>(rounded);  // a lookup reads the lowest five bits
    const auto coefficient = [&](int power) {
        const float* values = f.coefficients[power];
        return __builtin_shuffle(load(values), load(values + lanes), piece);
    };
    Vec value = coefficient(Curve::terms - 1);
    for (int power = Curve::terms - 2; power >= 0; --power) value = value * rest + coefficient(power);
    return size * value + x * splat(0.5F);
}

/// Absolute error below 1e-7 * |x|.
inline Vec gelu(Vec x) {
    return on_curve(gelu_curve, x);
}
/// Absolute error below 4e-7 * |x|, for what is rounded to bfloat16.
inline Vec quick_silu(Vec x) {
    return on_curve(silu_curve, x);
}
#else
inline Vec quick_silu(Vec x) {
    return silu(x);
}

/// x * (1 + erf(x / sqrt(2))) / 2
inline Vec gelu(Vec x) {
    const Vec tail = splat(0.5F) * x * gaussian_tail(max(x, -x));
    return x >= Vec{} ? x - tail : tail;
}
#endif

}  // namespace stl::kernels::STL_VARIANT
