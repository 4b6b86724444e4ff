// Chains of elementwise operations of a training step, forward and backward, each in one pass.
#pragma once

#include "stl/cpu/training.h"
#include "stl/cpu/variants/functions.h"
#include "stl/cpu/variants/runs.h"

namespace stl::cpu::STL_VARIANT {

void blend(const Blend& b) {
    const Vec s = splat(b.s), t = splat(b.t);
    in_vectors(b.a, b.b, b.out, b.count, [&](Vec x, Vec y) { return s * x + t * y; });
}

double dot(const float* a, const float* b, Index count) {
    return sum_of(a, b, count, [](Vec x, Vec y) { return x * y; });
}

void gelu(const Gelu& g) {
    const Vec weight = splat(g.weight);
    with_type_of(g.precision, [&](auto type) {
        using T = decltype(type);
        const auto* in = static_cast<const T*>(g.in);
        auto* out = static_cast<T*>(g.out);
        for_parts(g.count, [&](auto part) {
            const Vec value = gelu(part.of(in));
            part.put(out, value);
            if (g.sums) part.put(g.sums, part.of(g.sums) + weight * value);
        });
    });
}

void gelu_backward(const GeluBackward& g) {
    with_type_of(g.precision, [&](auto type) {
        using T = decltype(type);
        const auto* in = static_cast<const T*>(g.in);
        const auto* grad = static_cast<const T*>(g.grad);
        auto* in_grad = static_cast<T*>(g.in_grad);
        for_parts(g.count,
                  [&](auto part) { part.put(in_grad, part.of(grad) * gelu_slope_for<T>(part.of(in))); });
    });
}

void aggregation_backward(const AggregationBackward& g) {
    const Vec own = splat(1.0F + g.sigma), weight = splat(g.weight);
    Vec sigma_grad{}, weight_grad{};
    for_parts(g.count, [&](auto part) {
        const auto h = gelu_and_slope(part.of(g.in));
        const Vec grad = part.of(g.grad), sum_grad = part.of(g.sum_grad);
        sigma_grad += part.only(grad * (h.value - part.of(g.gate)));
        weight_grad += part.only(sum_grad * h.value);
        part.put(g.in_grad, (grad * own + sum_grad * weight) * h.slope);
    });
    *g.sigma_grad += static_cast<double>(sum(sigma_grad));
    *g.weight_grad += static_cast<double>(sum(weight_grad));
}

inline float mean_of(const float* values, Index count) {
    return static_cast<float>(sum_of(values, values, count, [](Vec x, Vec) { return x; }) /
                              static_cast<double>(count));
}

void decompose_silu(const DecomposeSilu& d) {
    const Vec slope = splat(1.0F + d.sigma), shift = splat(d.sigma * mean_of(d.in, d.count));
    in_vectors(d.in, d.in, d.out, d.count, [&](Vec p, Vec) { return silu(slope * p - shift); });
}

void decompose_silu_backward(const DecomposeSiluBackward& d) {
    const DecomposeSilu& f = d.forward;
    const float mean = mean_of(f.in, f.count);
    const Vec slope = splat(1.0F + f.sigma), centre = splat(mean), shift = splat(f.sigma * mean);
    Vec sigma_grad{}, z_sum{};
    for_parts(f.count, [&](auto part) {
        const Vec p = part.of(f.in);
        const Vec z_grad = part.of(d.grad) * silu_and_slope(slope * p - shift).slope;
        sigma_grad += part.only(z_grad * (p - centre));
        z_sum += part.only(z_grad);
        part.put(d.in_grad, z_grad);
    });
    *d.sigma_grad += static_cast<double>(sum(sigma_grad));
    const Vec of_mean = splat(f.sigma * sum(z_sum) / static_cast<float>(f.count));
    in_vectors(d.in_grad, d.in_grad, d.in_grad, f.count,
               [&](Vec z_grad, Vec) { return slope * z_grad - of_mean; });
}

void silu_gate(const SiluGate& g) {
    in_vectors(g.a, g.b, g.out, g.count, [](Vec a, Vec b) { return silu(a) * silu(b); });
}

void silu_gate_backward(const SiluGateBackward& g) {
    for_parts(g.forward.count, [&](auto part) {
        const auto a = silu_and_slope(part.of(g.forward.a)), b = silu_and_slope(part.of(g.forward.b));
        const Vec grad = part.of(g.grad);
        part.put(g.a_grad, grad * b.value * a.slope);
        part.put(g.b_grad, grad * a.value * b.slope);
    });
}

}  // namespace stl::cpu::STL_VARIANT
