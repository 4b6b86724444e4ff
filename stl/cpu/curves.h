// Activations as polynomials on 32 pieces, for processors that look up 32 values at once (AVX-512): less than half the
// time of an exponential.
#pragma once

namespace stl::cpu {

/// f(a) for a >= 0: with u = a * pieces_per_unit and i the integer next to it (31 beyond), a polynomial of the fourth
/// degree in u - i.
struct Curve {
    static constexpr int pieces = 32, terms = 5;
    float pieces_per_unit = 0;
    alignas(64) float coefficients[terms][pieces] = {};  ///< the constant first
};

/// P(a) - 1/2, P the normal distribution, to 5e-8: GELU(x) = x/2 + |x| f(|x|).
extern const Curve gelu_curve;
/// sigmoid(a) - 1/2, to 3e-7: SiLU(x) = x/2 + |x| f(|x|). For results that are rounded to bfloat16.
extern const Curve silu_curve;
/// The slopes of both, as curves of |x|: 1/2 + f(|x|) for x >= 0, 1/2 - f(|x|) below; to 1e-6 and 3e-6.
extern const Curve gelu_slope_curve, silu_slope_curve;

}  // namespace stl::cpu
