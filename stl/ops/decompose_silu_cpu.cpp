#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

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

}  // namespace

Tensor CpuOperations::decompose_silu(const Tensor& x, const Tensor& sigma) const {
    return takes(x) ? DecomposeSiluFunction::apply(widened(x), sigma) : Operations::decompose_silu(x, sigma);
}

}  // namespace stl::ops
