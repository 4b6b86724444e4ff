#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

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

}  // namespace

Tensor CpuOperations::gelu(const Tensor& x) const {
    return takes_type(x) ? GeluFunction::apply(x) : Operations::gelu(x);
}

}  // namespace stl::ops
