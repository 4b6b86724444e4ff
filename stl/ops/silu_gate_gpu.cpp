#include "stl/gpu/silu_gate.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/gpu_tasks.h"

namespace stl::ops {
namespace {

using namespace gpu;

struct SiluGateFunction : torch::autograd::Function<SiluGateFunction> {
    static Tensor forward(AutogradContext* context, const KernelTable* kernels, const Tensor& a_,
                          const Tensor& b_) {
        const auto a = channels_last(a_), b = channels_last(b_);
        auto y = torch::empty_like(a);
        auto t = task(a, b);
        t.y = y.mutable_data_ptr();
        kernels->silu_gate(t, kernels->current_stream());
        keep_kernels(context, *kernels);
        context->save_for_backward({a, b});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &a = saved[0], &b = saved[1];
        const auto grad = channels_last(grads[0].to(a.scalar_type()));
        auto a_grad = torch::empty_like(a), b_grad = torch::empty_like(b);
        auto t = task(a, b);
        t.grad = grad.const_data_ptr();
        t.a_grad = a_grad.mutable_data_ptr();
        t.b_grad = b_grad.mutable_data_ptr();
        const auto& kernels = kept_kernels(context);
        kernels.silu_gate_gradient(t, kernels.current_stream());
        return {Tensor(), a_grad, b_grad};
    }

  private:
    static SiluGateTask task(const Tensor& a, const Tensor& b) {
        SiluGateTask t;
        t.type = type_of(a);
        t.size = a.numel();
        t.a = a.const_data_ptr();
        t.b = b.const_data_ptr();
        return t;
    }
};

}  // namespace

Tensor GpuOperations::silu_gate(const Tensor& a, const Tensor& b) const {
    if (!takes(a) || !takes(b)) return Operations::silu_gate(a, b);
    return SiluGateFunction::apply(&kernels_, a, b.to(a.scalar_type()));
}

}  // namespace stl::ops
