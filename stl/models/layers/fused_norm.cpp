// GroupNorm + SiLU (+ PixelShuffle) of a training step.
#include "stl/gpu/layers.h"
#include "stl/models/layers/fused.h"
#include "stl/models/layers/fused_planes.h"

namespace stl::fused {
namespace {

/// A group of one picture; x is what comes before the shuffle.
kernels::GroupNormSilu group_of(const Planes& p, bool shuffle, int groups) {
    return {.channels = p.channels / (shuffle ? 4 : 1) / groups,
            .height = p.height,
            .width = p.width,
            .shuffle = shuffle};
}

struct GroupNormSilu : torch::autograd::Function<GroupNormSilu> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& gamma, const Tensor& beta,
                          std::int64_t groups_, double eps, bool shuffle) {
        const auto x = x_.contiguous();
        const Planes p(x);
        const int groups = static_cast<int>(groups_);
        const int grow = shuffle ? 2 : 1;
        auto out = torch::empty({p.batch, p.channels / (grow * grow), p.height * grow, p.width * grow});
        auto mean = torch::empty({p.batch, groups}), rstd = torch::empty({p.batch, groups});
        const Index size = p.size * p.channels / groups;
        const auto* in = x.const_data_ptr<float>();
        const auto* scale = gamma.const_data_ptr<float>();
        const auto* shift = beta.const_data_ptr<float>();
        auto* y = out.mutable_data_ptr<float>();
        auto* m = mean.mutable_data_ptr<float>();
        auto* r = rstd.mutable_data_ptr<float>();
        const auto& k = kernels::kernels().training;
        kernels::parallel(p.batch * groups, [&](int unit) {
            auto group = group_of(p, shuffle, groups);
            group.in = in + unit * size;
            group.gamma = scale + unit % groups * group.channels;
            group.beta = shift + unit % groups * group.channels;
            group.eps = static_cast<float>(eps);
            group.out = y + unit * size;
            group.mean = m + unit;
            group.rstd = r + unit;
            k.group_norm_silu(group);
        });
        context->save_for_backward({x, gamma, beta, mean, rstd});
        context->saved_data["shuffle"] = shuffle;
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        auto mean = saved[3], rstd = saved[4];
        const bool shuffle = context->saved_data["shuffle"].toBool();
        const auto grad = grads[0].contiguous();
        const Planes p(x);
        const int groups = static_cast<int>(mean.size(1));
        auto x_grad = torch::empty_like(x);
        const auto channels = saved[1].size(0);
        auto gamma_grad = torch::empty({p.batch, channels}), beta_grad = torch::empty({p.batch, channels});
        const Index size = p.size * p.channels / groups;
        const auto* in = x.const_data_ptr<float>();
        const auto* scale = saved[1].const_data_ptr<float>();
        const auto* shift = saved[2].const_data_ptr<float>();
        const auto* g = grad.const_data_ptr<float>();
        auto* dx = x_grad.mutable_data_ptr<float>();
        auto* dgamma = gamma_grad.mutable_data_ptr<float>();
        auto* dbeta = beta_grad.mutable_data_ptr<float>();
        auto* m = mean.mutable_data_ptr<float>();
        auto* r = rstd.mutable_data_ptr<float>();
        const auto& k = kernels::kernels().training;
        kernels::parallel(p.batch * groups, [&](int unit) {
            kernels::GroupNormSiluBackward task{.forward = group_of(p, shuffle, groups)};
            const auto first = static_cast<Index>(unit % groups) * task.forward.channels;
            task.forward.in = in + unit * size;
            task.forward.gamma = scale + first;
            task.forward.beta = shift + first;
            task.forward.mean = m + unit;
            task.forward.rstd = r + unit;
            task.grad = g + unit * size;
            task.in_grad = dx + unit * size;
            task.gamma_grad = dgamma + static_cast<Index>(unit) * task.forward.channels;
            task.beta_grad = dbeta + static_cast<Index>(unit) * task.forward.channels;
            k.group_norm_silu_backward(task);
        });
        return {x_grad, gamma_grad.sum(0), beta_grad.sum(0), Tensor(), Tensor(), Tensor()};
    }
};

}  // namespace

Tensor group_norm_silu(const Tensor& x, std::int64_t groups, const Tensor& gamma, const Tensor& beta,
                       double eps, bool shuffle) {
    if (gpu::takes(x)) return gpu::norm_silu(x, groups, gamma, beta, eps, shuffle);
    return GroupNormSilu::apply(x, gamma, beta, groups, eps, shuffle);
}

}  // namespace stl::fused
