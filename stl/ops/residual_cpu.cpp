#include <optional>

#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

struct ResidualFunction : torch::autograd::Function<ResidualFunction> {
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

Tensor CpuOperations::residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                               const Tensor& keep) const {
    if (!takes(x)) return Operations::residual(x, branch, scale, keep);
    return ResidualFunction::apply(widened(x), widened(branch), scale,
                                   keep.defined() ? std::optional(keep) : std::nullopt);
}

}  // namespace stl::ops
