// Adam and AdamW over many tensors at once, with what changes from step to step read from device memory: a
// captured graph has its numbers frozen, and onecycle moves the learning rate and beta1 every step.
//
// Source: Kingma & Ba 2015 (weight decay as an L2 term); Loshchilov & Hutter 2019 (decoupled).
#pragma once

#include "stl/gpu/portable.h"

namespace stl::gpu {

/// One parameter: all in the same order in memory.
struct AdamTensor {
    float* parameter = nullptr;
    const float* grad = nullptr;
    float* exp_avg = nullptr;
    float* exp_avg_sq = nullptr;
    float* average = nullptr;     ///< of the parameter over the steps; null: none
    const float* step = nullptr;  ///< steps made, this one included
    Index size = 0;
};

struct AdamTask {
    const AdamTensor* tensors = nullptr;  ///< in the host's memory
    int count = 0;
    const float* settings = nullptr;  ///< [2]: learning rate, beta1
    double beta2 = 0.999, eps = 1e-8, weight_decay = 0;
    double average_decay = 0;  ///< average = average_decay * average + (1 - average_decay) * parameter
    bool decoupled = false;
};

/// What a step multiplies with, the same for every element of a tensor.
struct AdamFactors {
    float decay, l2, keep1, add1, keep2, add2, size, root, eps, average;
};

STL_BOTH AdamFactors adam_factors(const AdamTask& t, float step) {
    const double lr = t.settings[0], beta1 = t.settings[1];
    const double correction1 = 1 - pow(beta1, static_cast<double>(step));
    const double correction2 = 1 - pow(t.beta2, static_cast<double>(step));
    AdamFactors f;
    f.decay = static_cast<float>(t.decoupled ? 1 - lr * t.weight_decay : 1);
    f.l2 = static_cast<float>(t.decoupled ? 0 : t.weight_decay);
    f.keep1 = static_cast<float>(beta1);
    f.add1 = static_cast<float>(1 - beta1);
    f.keep2 = static_cast<float>(t.beta2);
    f.add2 = static_cast<float>(1 - t.beta2);
    f.size = static_cast<float>(lr / correction1);
    f.root = static_cast<float>(1 / sqrt(correction2));
    f.eps = static_cast<float>(t.eps);
    f.average = static_cast<float>(1 - t.average_decay);
    return f;
}

/// Elements that one thread takes at once where a tensor's memory allows it.
inline constexpr int adam_pack = 4;

STL_BOTH bool adam_takes_packs(const AdamTensor& t) {
    const auto bits = reinterpret_cast<std::uintptr_t>(t.parameter) |
                      reinterpret_cast<std::uintptr_t>(t.grad) | reinterpret_cast<std::uintptr_t>(t.exp_avg) |
                      reinterpret_cast<std::uintptr_t>(t.exp_avg_sq) |
                      reinterpret_cast<std::uintptr_t>(t.average);
    return bits % (adam_pack * sizeof(float)) == 0;
}

/// V elements from `first` on.
template <int V>
STL_BOTH void adam_elements(const AdamTensor& t, const AdamFactors& f, Index first) {
    float p[V], grad[V], m[V], v[V];
    load<float, V>(t.parameter + first, p);
    load<float, V>(t.grad + first, grad);
    load<float, V>(t.exp_avg + first, m);
    load<float, V>(t.exp_avg_sq + first, v);
    STL_UNROLL for (int i = 0; i < V; ++i) {
        p[i] *= f.decay;
        grad[i] += f.l2 * p[i];
        m[i] = f.keep1 * m[i] + f.add1 * grad[i];
        v[i] = f.keep2 * v[i] + f.add2 * grad[i] * grad[i];
        p[i] -= f.size * m[i] / (sqrtf(v[i]) * f.root + f.eps);
    }
    store<float, V>(p, t.parameter + first);
    store<float, V>(m, t.exp_avg + first);
    store<float, V>(v, t.exp_avg_sq + first);
    if (t.average == nullptr) return;
    load<float, V>(t.average + first, m);
    STL_UNROLL for (int i = 0; i < V; ++i) m[i] += f.average * (p[i] - m[i]);
    store<float, V>(m, t.average + first);
}

}  // namespace stl::gpu
