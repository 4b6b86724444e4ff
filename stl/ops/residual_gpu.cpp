#include <optional>

#include "stl/gpu/residual.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/gpu_tasks.h"

namespace stl::ops {
namespace {

using namespace gpu;

ResidualTask residual_task(const Tensor& x, const Tensor& branch) {
    ResidualTask t;
    t.type = type_of(x);
    t.branch_type = type_of(branch);
    t.batch = static_cast<int>(branch.size(0));
    t.channels = static_cast<int>(branch.size(1));
    t.pixels = branch.size(2) * branch.size(3);
    t.branch = branch.const_data_ptr();
    return t;
}
ResidualTask residual_task(const Tensor& x, const Tensor& branch, const Tensor& scale, const Tensor& keep) {
    auto t = residual_task(x, branch);
    t.scale = scale.const_data_ptr<float>();
    if (keep.defined()) t.keep = keep.const_data_ptr<float>();
    return t;
}

struct ResidualFunction : torch::autograd::Function<ResidualFunction> {
    static Tensor forward(AutogradContext* context, const KernelTable* kernels, const Tensor& x_,
                          const Tensor& branch_, const Tensor& scale_, const std::optional<Tensor>& keep_) {
        const auto x = channels_last(x_), branch = channels_last(branch_),
                   scale = as_floats(scale_.flatten());
        const auto keep = keep_ ? as_floats(keep_->flatten()) : Tensor();
        auto t = residual_task(x, branch, scale, keep);
        auto y = torch::empty_like(x);
        t.x = x.const_data_ptr();
        t.y = y.mutable_data_ptr();
        kernels->residual(t, kernels->current_stream());
        keep_kernels(context, *kernels);
        context->save_for_backward({branch, scale, keep, scale_});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &branch = saved[0], &scale = saved[1], &keep = saved[2];
        const auto grad = channels_last(grads[0]);
        auto t = residual_task(grad, branch, scale, keep);
        const auto& kernels = kept_kernels(context);
        t.parts = pixel_parts(kernels, t.batch, t.channels, t.pixels);
        auto branch_grad = torch::empty_like(branch);
        auto sums = floats(branch, {branch.size(0), t.parts, branch.size(1)});
        t.grad = grad.const_data_ptr();
        t.branch_grad = branch_grad.mutable_data_ptr();
        t.sums = sums.mutable_data_ptr<float>();
        kernels.residual_gradient(t, kernels.current_stream());
        return {Tensor(), grads[0], branch_grad, sums.flatten(0, 1).sum(0).view(saved[3].sizes()), Tensor()};
    }
};

/// x in the type of its sum with a branch.
Tensor as_sum(const Tensor& x, const Tensor& branch) {
    const bool widen = mixed_precision(x) || branch.scalar_type() == torch::kFloat32;
    return widen ? x.to(torch::kFloat32) : x;
}

}  // namespace

Tensor GpuOperations::residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                               const Tensor& keep) const {
    if (!takes(x) || !takes(branch)) return Operations::residual(x, branch, scale, keep);
    return ResidualFunction::apply(&kernels_, as_sum(x, branch), branch, scale,
                                   keep.defined() ? std::optional(keep) : std::nullopt);
}

Tensor GpuOperations::scaled_sum(const Tensor& x_, const Tensor& scale_, const Tensor& branch_) const {
    if (!takes(x_) || !takes(branch_)) return Operations::scaled_sum(x_, scale_, branch_);
    const auto x = channels_last(as_sum(x_, branch_)), branch = channels_last(branch_),
               scale = as_floats(scale_.flatten());
    auto y = torch::empty_like(x);
    auto t = residual_task(x, branch);
    t.x = x.const_data_ptr();
    t.x_scale = scale.const_data_ptr<float>();
    t.y = y.mutable_data_ptr();
    kernels_.residual(t, kernels_.current_stream());
    return y;
}

}  // namespace stl::ops
