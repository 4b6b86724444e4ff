#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

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

}  // namespace

Tensor CpuOperations::silu_gate(const Tensor& a, const Tensor& b) const {
    if (!takes(a) || !takes(b)) return Operations::silu_gate(a, b);
    return SiluGateFunction::apply(widened(a), widened(b));
}

}  // namespace stl::ops
