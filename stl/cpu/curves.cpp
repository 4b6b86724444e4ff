#include "stl/cpu/curves.h"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace stl::cpu {
namespace {

/// Each piece's polynomial goes through f at Chebyshev's points of it; the last piece is `limit`.
template <class F>
Curve fitted(double end, double limit, F f) {
    constexpr std::size_t terms = Curve::terms;
    Curve curve;
    const double per_unit = (Curve::pieces - 1) / end;
    curve.pieces_per_unit = static_cast<float>(per_unit);
    for (std::size_t piece = 0; piece + 1 < Curve::pieces; ++piece) {
        double at[terms], differences[terms];
        for (std::size_t i = 0; i < terms; ++i) {
            at[i] = 0.5 * std::cos((static_cast<double>(i) + 0.5) * std::numbers::pi / terms);
            differences[i] = f((static_cast<double>(piece) + at[i]) / per_unit);
        }
        // Newton's form, then multiplied out from the last term to the first.
        for (std::size_t order = 1; order < terms; ++order) {
            for (std::size_t i = terms - 1; i >= order; --i)
                differences[i] = (differences[i] - differences[i - 1]) / (at[i] - at[i - order]);
        }
        double polynomial[terms] = {differences[terms - 1]};
        for (std::size_t next = terms - 1; next-- > 0;) {
            for (std::size_t power = terms - 1; power > 0; --power)
                polynomial[power] = polynomial[power - 1] - at[next] * polynomial[power];
            polynomial[0] = differences[next] - at[next] * polynomial[0];
        }
        for (std::size_t power = 0; power < terms; ++power)
            curve.coefficients[power][piece] = static_cast<float>(polynomial[power]);
    }
    curve.coefficients[0][Curve::pieces - 1] = static_cast<float>(limit);
    return curve;
}

double sigmoid(double a) {
    return 1.0 / (1.0 + std::exp(-a));
}

/// P(a) - 1/2 and its derivative: the normal distribution.
double half_distribution(double a) {
    return 0.5 * std::erf(a / std::numbers::sqrt2);
}
double density(double a) {
    return std::exp(-0.5 * a * a) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

}  // namespace

const Curve gelu_curve = fitted(5.5, 0.5, half_distribution);
const Curve silu_curve = fitted(16.0, 0.5, [](double a) { return sigmoid(a) - 0.5; });
const Curve gelu_slope_curve =
    fitted(5.5, 0.5, [](double a) { return half_distribution(a) + a * density(a); });
const Curve silu_slope_curve =
    fitted(16.0, 0.5, [](double a) { return sigmoid(a) - 0.5 + a * sigmoid(a) * sigmoid(-a); });

}  // namespace stl::cpu
