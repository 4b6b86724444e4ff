#include "stl/gpu/decompose_silu.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/gpu_tasks.h"

namespace stl::ops {
namespace {

using namespace gpu;

struct DecomposeSiluFunction : torch::autograd::Function<DecomposeSiluFunction> {
    static Tensor forward(AutogradContext* context, const KernelTable* kernels, const Tensor& x_,
                          const Tensor& sigma_) {
        const auto x = channels_last(x_), sigma = as_floats(sigma_.flatten()),
                   mean = x.mean({2, 3}, /*keepdim=*/false, torch::kFloat32).contiguous();
        auto y = torch::empty_like(x);
        auto t = task(x, mean, sigma);
        t.y = y.mutable_data_ptr();
        kernels->decompose_silu(t, kernels->current_stream());
        keep_kernels(context, *kernels);
        context->save_for_backward({x, mean, sigma, sigma_});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kept_kernels(context);
        auto t = task(x, saved[1], saved[2]);
        t.parts = pixel_parts(kernels, t.batch, t.channels, t.pixels);
        auto parts = floats(x, {t.batch, t.parts, 2, t.channels});
        t.grad = grad.const_data_ptr();
        t.sums = parts.mutable_data_ptr<float>();
        kernels.decompose_silu_gradient_sums(t, kernels.current_stream());

        const auto sums = parts.sum(1);  // [B,2,C]
        const auto means = sums.select(1, 0).div(static_cast<double>(t.pixels)).contiguous();
        auto x_grad = torch::empty_like(x);
        t.mean_of = means.const_data_ptr<float>();
        t.x_grad = x_grad.mutable_data_ptr();
        kernels.decompose_silu_gradient(t, kernels.current_stream());
        return {Tensor(), x_grad, sums.select(1, 1).sum(0).view(saved[3].sizes())};
    }

  private:
    static DecomposeSiluTask task(const Tensor& x, const Tensor& mean, const Tensor& sigma) {
        DecomposeSiluTask t;
        t.type = type_of(x);
        t.batch = static_cast<int>(x.size(0));
        t.channels = static_cast<int>(x.size(1));
        t.pixels = x.size(2) * x.size(3);
        t.x = x.const_data_ptr();
        t.mean = mean.const_data_ptr<float>();
        t.sigma = sigma.const_data_ptr<float>();
        return t;
    }
};

}  // namespace

Tensor GpuOperations::decompose_silu(const Tensor& x, const Tensor& sigma) const {
    if (!takes(x)) return Operations::decompose_silu(x, sigma);
    return DecomposeSiluFunction::apply(&kernels_, x, sigma);
}

}  // namespace stl::ops
