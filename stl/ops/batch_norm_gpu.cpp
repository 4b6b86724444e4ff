#include "stl/gpu/batch_norm.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/gpu_tasks.h"

namespace stl::ops {
namespace {

using namespace gpu;

BatchNormTask batch_norm_task(const KernelTable& kernels, const Tensor& x, const Tensor& gamma,
                              bool of_gelu) {
    BatchNormTask t;
    t.type = type_of(x);
    t.gelu = of_gelu;
    t.channels = static_cast<int>(x.size(1));
    t.pixels = x.numel() / x.size(1);
    t.parts = pixel_parts(kernels, 1, t.channels, t.pixels);
    t.x = x.const_data_ptr();
    t.gamma = gamma.const_data_ptr<float>();
    return t;
}

struct BatchNormFunction : torch::autograd::Function<BatchNormFunction> {
    static Tensor forward(AutogradContext* context, const KernelTable* kernels, const Tensor& x_,
                          const Tensor& gamma_, const Tensor& beta_, Tensor running_mean, Tensor running_var,
                          double momentum, double eps, bool of_gelu) {
        const auto x = channels_last(x_), gamma = as_floats(gamma_), beta = as_floats(beta_);
        auto t = batch_norm_task(*kernels, x, gamma, of_gelu);
        t.eps = static_cast<float>(eps);
        t.momentum = static_cast<float>(momentum);
        auto y = torch::empty_like(x), sums = floats(x, {t.parts, 2, t.channels}),
             mean = floats(x, {t.channels}), rstd = floats(x, {t.channels});
        t.beta = beta.const_data_ptr<float>();
        t.y = y.mutable_data_ptr();
        t.sums = sums.mutable_data_ptr<float>();
        t.mean = mean.mutable_data_ptr<float>();
        t.rstd = rstd.mutable_data_ptr<float>();
        t.running_mean = running_mean.mutable_data_ptr<float>();
        t.running_var = running_var.mutable_data_ptr<float>();
        kernels->batch_norm(t, kernels->current_stream());
        keep_kernels(context, *kernels);
        context->save_for_backward({x, gamma, mean, rstd});
        context->saved_data["of_gelu"] = of_gelu;
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        auto mean = saved[2], rstd = saved[3];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kept_kernels(context);
        auto t = batch_norm_task(kernels, x, saved[1], context->saved_data["of_gelu"].toBool());
        auto parts = floats(x, {t.parts, 2, t.channels});
        t.mean = mean.mutable_data_ptr<float>();
        t.rstd = rstd.mutable_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        t.gradient_sums = parts.mutable_data_ptr<float>();
        kernels.batch_norm_gradient_sums(t, kernels.current_stream());

        const auto sums = parts.sum(0), means = sums / static_cast<double>(t.pixels);
        auto x_grad = torch::empty_like(x);
        t.means_of = means.const_data_ptr<float>();
        t.x_grad = x_grad.mutable_data_ptr();
        kernels.batch_norm_gradient(t, kernels.current_stream());
        return {Tensor(), x_grad, sums[0], sums[1], Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

Tensor trained(const KernelTable& kernels, const Tensor& x, const BatchNorm& norm, bool of_gelu) {
    return BatchNormFunction::apply(&kernels, x, norm.gamma, norm.beta, norm.running_mean, norm.running_var,
                                    norm.momentum, norm.eps, of_gelu);
}

}  // namespace

Tensor GpuOperations::batch_norm(const Tensor& x, const BatchNorm& norm) const {
    if (!norm.training || !takes(x)) return Operations::batch_norm(x, norm);
    return trained(kernels_, x, norm, /*of_gelu=*/false);
}

Tensor GpuOperations::gelu_batch_norm(const Tensor& x, const BatchNorm& norm) const {
    if (!norm.training || !takes(x)) return Operations::gelu_batch_norm(x, norm);
    return trained(kernels_, x, norm, /*of_gelu=*/true);
}

}  // namespace stl::ops
