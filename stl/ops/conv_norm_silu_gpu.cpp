#include "stl/gpu/group_norm_silu.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/gpu_tasks.h"

namespace stl::ops {
namespace {

using namespace gpu;

GroupNormSiluTask norm_task(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::int64_t groups,
                            bool shuffle) {
    GroupNormSiluTask t;
    t.type = type_of(x);
    t.shuffle = shuffle;
    t.batch = static_cast<int>(x.size(0));
    t.channels = static_cast<int>(x.size(1));
    t.height = static_cast<int>(x.size(2));
    t.width = static_cast<int>(x.size(3));
    t.groups = static_cast<int>(groups);
    t.x = x.const_data_ptr();
    t.gamma = gamma.const_data_ptr<float>();
    t.beta = beta.const_data_ptr<float>();
    return t;
}

struct GroupNormSiluFunction : torch::autograd::Function<GroupNormSiluFunction> {
    static Tensor forward(AutogradContext* context, const KernelTable* kernels, const Tensor& x_,
                          const Tensor& gamma_, const Tensor& beta_, std::int64_t groups, double eps,
                          bool shuffle) {
        const auto x = channels_last(x_), gamma = as_floats(gamma_), beta = as_floats(beta_);
        auto t = norm_task(x, gamma, beta, groups, shuffle);
        t.eps = static_cast<float>(eps);
        t.parts = kernels->parts(x.size(0) * groups, t.pixels());
        const int grow = shuffle ? 2 : 1;
        auto y = empty_channels_last(x, {x.size(0), t.channels_out(), x.size(2) * grow, x.size(3) * grow});
        auto sums = floats(x, {x.size(0), t.parts, groups, 2}), mean = floats(x, {x.size(0), groups}),
             rstd = floats(x, {x.size(0), groups});
        t.y = y.mutable_data_ptr();
        t.sums = sums.mutable_data_ptr<float>();
        t.mean = mean.mutable_data_ptr<float>();
        t.rstd = rstd.mutable_data_ptr<float>();
        kernels->group_norm_silu(t, kernels->current_stream());
        keep_kernels(context, *kernels);
        context->save_for_backward({x, gamma, beta, mean, rstd});
        context->saved_data["shuffle"] = shuffle;
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &gamma = saved[1];
        auto mean = saved[3], rstd = saved[4];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kept_kernels(context);
        auto t = norm_task(x, gamma, saved[2], mean.size(1), context->saved_data["shuffle"].toBool());
        t.parts = kernels.parts(x.size(0), t.pixels());
        t.mean = mean.mutable_data_ptr<float>();
        t.rstd = rstd.mutable_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        auto parts = floats(x, {x.size(0), t.parts, gamma.size(0), 2});
        t.gradient_sums = parts.mutable_data_ptr<float>();
        kernels.group_norm_silu_gradient_sums(t, kernels.current_stream());

        const auto sums = parts.sum(1);  // [B,C',2]
        const auto size = static_cast<double>(t.pixels() * t.group_channels());
        const auto means = (sums * gamma.unsqueeze(-1)).view({x.size(0), t.groups, -1, 2}).sum(2).div_(size);
        auto x_grad = torch::empty_like(x);
        t.means_of = means.const_data_ptr<float>();
        t.x_grad = x_grad.mutable_data_ptr();
        kernels.group_norm_silu_gradient(t, kernels.current_stream());
        const auto of_both = sums.sum(0);
        return {Tensor(), x_grad, of_both.select(1, 0), of_both.select(1, 1), Tensor(), Tensor(), Tensor()};
    }
};

}  // namespace

Tensor GpuOperations::conv_norm_silu(const Tensor& x, const Convolution& convolution, const GroupNorm& norm,
                                     bool shuffle) const {
    if (!takes(x)) return Operations::conv_norm_silu(x, convolution, norm, shuffle);
    return group_norm_silu(conv2d(x, convolution), norm, shuffle);
}

Tensor GpuOperations::group_norm_silu(const Tensor& x, const GroupNorm& norm, bool shuffle) const {
    return GroupNormSiluFunction::apply(&kernels_, x, norm.gamma, norm.beta, norm.groups, norm.eps, shuffle);
}

}  // namespace stl::ops
