#include "stl/ops/chains.h"

#include <algorithm>
#include <optional>

#include "stl/ops/fused.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

/// task(first, count) over `total` values, in pieces that do not depend on the number of threads.
template <class Task>
void for_pieces(Index total, const Task& task) {
    constexpr Index piece = 16384;
    cpu::parallel(static_cast<int>((total + piece - 1) / piece), [&](int unit) {
        const Index first = unit * piece;
        task(first, std::min(piece, total - first));
    });
}

/// x as a run of values: in whatever order they lie in bfloat16; in float32 contiguous, which the layers behind take.
Tensor as_run(const Tensor& x) {
    return x.scalar_type() == torch::kBFloat16 && x.is_non_overlapping_and_dense() ? x : x.contiguous();
}

/// x in the type and the order of `like`.
Tensor in_order_of(const Tensor& like, const Tensor& x) {
    if (x.scalar_type() == like.scalar_type() && x.strides() == like.strides()) return x;
    return torch::empty_like(like).copy_(x);
}

/// In x's own type.
struct GeluFunction : torch::autograd::Function<GeluFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_) {
        const auto x = as_run(x_);
        auto out = torch::empty_like(x);
        const auto in = bytes(x), y = bytes(out);
        const auto& k = cpu::kernels().training;
        for_pieces(x.numel(), [&](Index first, Index count) {
            const Index at = first * x.element_size();
            k.gelu({.precision = precision_of(x), .in = in + at, .out = y + at, .count = count});
        });
        context->save_for_backward({x});
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto x = context->get_saved_variables()[0], grad = in_order_of(x, grads[0]);
        auto x_grad = torch::empty_like(x);
        const auto in = bytes(x), g = bytes(grad), dx = bytes(x_grad);
        const auto& k = cpu::kernels().training;
        for_pieces(x.numel(), [&](Index first, Index count) {
            const Index at = first * x.element_size();
            k.gelu_backward({.precision = precision_of(x),
                             .in = in + at,
                             .grad = g + at,
                             .in_grad = dx + at,
                             .count = count});
        });
        return {x_grad};
    }
};

struct DecomposeSiluFunction : torch::autograd::Function<DecomposeSiluFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& sigma_) {
        const auto x = as_planes(x_), sigma = sigma_.contiguous();
        auto out = torch::empty(x.sizes());
        const Planes p(x), q(out);
        const auto* in = x.const_data_ptr<float>();
        const auto* s = sigma.const_data_ptr<float>();
        auto* y = out.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        cpu::parallel(p.batch * p.channels, [&](int plane) {
            const int n = plane / p.channels, channel = plane % p.channels;
            k.decompose_silu({.in = in + p.at(n, channel),
                              .sigma = s[channel],
                              .out = y + q.at(n, channel),
                              .count = p.size});
        });
        context->save_for_backward({x, sigma});
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &sigma = saved[1];
        const auto grad = as_planes(grads[0]);
        auto x_grad = torch::empty(x.sizes()), sigma_grad = torch::empty_like(sigma);
        const Planes p(x), q(grad), r(x_grad);
        const auto* in = x.const_data_ptr<float>();
        const auto* s = sigma.const_data_ptr<float>();
        const auto* g = grad.const_data_ptr<float>();
        auto* dx = x_grad.mutable_data_ptr<float>();
        auto* ds = sigma_grad.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        cpu::parallel(p.channels, [&](int channel) {
            double sum = 0;
            for (int n = 0; n < p.batch; ++n) {
                cpu::DecomposeSiluBackward task;
                task.forward.in = in + p.at(n, channel);
                task.forward.sigma = s[channel];
                task.forward.count = p.size;
                task.grad = g + q.at(n, channel);
                task.in_grad = dx + r.at(n, channel);
                task.sigma_grad = &sum;
                k.decompose_silu_backward(task);
            }
            ds[channel] = static_cast<float>(sum);
        });
        return {x_grad, sigma_grad};
    }
};

struct SiluGateFunction : torch::autograd::Function<SiluGateFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& a_, const Tensor& b_) {
        const auto a = a_.contiguous(), b = b_.contiguous();
        auto out = torch::empty(a.sizes());
        const auto* first_factor = a.const_data_ptr<float>();
        const auto* second_factor = b.const_data_ptr<float>();
        auto* y = out.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        for_pieces(a.numel(), [&](Index first, Index count) {
            k.silu_gate(
                {.a = first_factor + first, .b = second_factor + first, .out = y + first, .count = count});
        });
        context->save_for_backward({a, b});
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto grad = grads[0].contiguous();
        auto a_grad = torch::empty(grad.sizes()), b_grad = torch::empty(grad.sizes());
        const auto* a = saved[0].const_data_ptr<float>();
        const auto* b = saved[1].const_data_ptr<float>();
        const auto* g = grad.const_data_ptr<float>();
        auto* da = a_grad.mutable_data_ptr<float>();
        auto* db = b_grad.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        for_pieces(grad.numel(), [&](Index first, Index count) {
            cpu::SiluGateBackward task;
            task.forward.a = a + first;
            task.forward.b = b + first;
            task.forward.count = count;
            task.grad = g + first;
            task.a_grad = da + first;
            task.b_grad = db + first;
            k.silu_gate_backward(task);
        });
        return {a_grad, b_grad};
    }
};

struct ScaledResidualFunction : torch::autograd::Function<ScaledResidualFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& branch_,
                          const Tensor& scale_, const std::optional<Tensor>& kept_) {
        const auto kept = kept_.value_or(Tensor());
        const auto x = as_planes(x_), branch = as_planes(branch_), scale = scale_.contiguous();
        auto out = torch::empty(x.sizes());
        const Planes p(x), q(branch), r(out);
        const auto* in = x.const_data_ptr<float>();
        const auto* b = branch.const_data_ptr<float>();
        const auto* s = scale.const_data_ptr<float>();
        const auto* keep = kept.defined() ? kept.const_data_ptr<float>() : nullptr;
        auto* y = out.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        cpu::parallel(p.batch * p.channels, [&](int plane) {
            const int n = plane / p.channels, channel = plane % p.channels;
            k.blend({.a = in + p.at(n, channel),
                     .b = b + q.at(n, channel),
                     .t = s[channel] * (keep ? keep[n] : 1.0F),
                     .out = y + r.at(n, channel),
                     .count = p.size});
        });
        context->save_for_backward({branch, scale, kept});
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &branch = saved[0], &scale = saved[1], &kept = saved[2];
        const auto grad = as_planes(grads[0]);
        auto branch_grad = torch::empty(grad.sizes()), scale_grad = torch::empty_like(scale);
        const Planes p(grad), q(branch), r(branch_grad);
        const auto* g = grad.const_data_ptr<float>();
        const auto* b = branch.const_data_ptr<float>();
        const auto* s = scale.const_data_ptr<float>();
        const auto* keep = kept.defined() ? kept.const_data_ptr<float>() : nullptr;
        auto* db = branch_grad.mutable_data_ptr<float>();
        auto* ds = scale_grad.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        cpu::parallel(p.channels, [&](int channel) {
            double sum = 0;
            for (int n = 0; n < p.batch; ++n) {
                const float share = keep ? keep[n] : 1.0F;
                const auto* of_output = g + p.at(n, channel);
                k.blend({.a = of_output,
                         .s = s[channel] * share,
                         .b = of_output,
                         .t = 0,
                         .out = db + r.at(n, channel),
                         .count = p.size});
                sum += static_cast<double>(share) * k.dot(of_output, b + q.at(n, channel), p.size);
            }
            ds[channel] = static_cast<float>(sum);
        });
        return {grads[0], branch_grad, scale_grad, Tensor()};
    }
};

}  // namespace

Tensor gelu(const Tensor& x, bool fused) {
    return fused && takes_type(x) ? GeluFunction::apply(x) : torch::gelu(x);
}

bool takes_chain(const Tensor& x) {
    return !gpu::takes(x) && takes(x);
}

Tensor decompose_silu(const Tensor& x, const Tensor& sigma) {
    return gpu::takes(x) ? gpu::decompose_silu(x, sigma) : DecomposeSiluFunction::apply(widened(x), sigma);
}

Tensor silu_gate(const Tensor& a, const Tensor& b) {
    return gpu::takes(a) ? gpu::gate(a, b) : SiluGateFunction::apply(widened(a), widened(b));
}

Tensor scaled_residual(const Tensor& x, const Tensor& branch, const Tensor& scale, const Tensor& kept) {
    return ScaledResidualFunction::apply(widened(x), widened(branch), scale,
                                         kept.defined() ? std::optional(kept) : std::nullopt);
}

}  // namespace stl::ops
