// exp, erfc and the activations on vectors, to float accuracy (checked against double in the tests).
#pragma once

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

inline Vec sigmoid(Vec x) {
    return splat(1.0F) / (splat(1.0F) + exp(-x));
}

inline Vec silu(Vec x) {
    return x / (splat(1.0F) + exp(-x));
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

/// x * (1 + erf(x / sqrt(2))) / 2
inline Vec gelu(Vec x) {
    const Vec tail = splat(0.5F) * x * gaussian_tail(max(x, -x));
    return x >= Vec{} ? x - tail : tail;
}

}  // namespace stl::kernels::STL_VARIANT
