#include "stl/models/layers/fused.h"

#include <ATen/autocast_mode.h>

#include "stl/kernels/buffer.h"
#include "stl/kernels/kernels.h"
#include "stl/kernels/parallel.h"

namespace stl {

void set_fused(torch::nn::Module& model, bool fused) {
    for (const auto& module : model.modules()) {
        if (auto* layer = dynamic_cast<HasFusedPath*>(module.get())) layer->fused = fused;
    }
}

namespace fused {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using Gradients = torch::autograd::variable_list;
using kernels::Index;

/// Scratch memory for each thread of a parallel call.
class Scratch {
  public:
    explicit Scratch(std::size_t floats) : floats_((floats + 15) / 16 * 16) {
        buffer_.reserve(floats_ * static_cast<std::size_t>(kernels::thread_count()));
    }
    float* of_this_thread() {
        return buffer_.data() + floats_ * static_cast<std::size_t>(kernels::thread_index());
    }

  private:
    std::size_t floats_;
    kernels::Buffer buffer_;
};

struct Planes {
    int batch, channels, height, width;
    Index size;  ///< of one plane
    explicit Planes(const Tensor& x)
        : batch(static_cast<int>(x.size(0))),
          channels(static_cast<int>(x.size(1))),
          height(static_cast<int>(x.size(2))),
          width(static_cast<int>(x.size(3))),
          size(static_cast<Index>(height) * width) {}
};

/// Each plane with its channel's filter; `bias` may be null.
void filter_planes(const Tensor& in, const Tensor& weight, const float* bias, bool flipped, int dilation,
                   const Tensor& out) {
    const Planes p(in);
    const int kernel = static_cast<int>(weight.size(2));
    Scratch scratch(kernels::plane_scratch(p.height, p.width, kernel, dilation));
    const auto* x = in.const_data_ptr<float>();
    const auto* w = weight.const_data_ptr<float>();
    auto* y = out.mutable_data_ptr<float>();
    const auto& k = kernels::kernels();
    kernels::parallel(p.batch * p.channels, [&](int plane) {
        const int channel = plane % p.channels;
        k.plane_depthwise({.in = x + plane * p.size,
                           .w = w + static_cast<Index>(channel) * kernel * kernel,
                           .flipped = flipped,
                           .bias = bias ? bias[channel] : 0.0F,
                           .out = y + plane * p.size,
                           .height = p.height,
                           .width = p.width,
                           .kernel = kernel,
                           .dilation = dilation,
                           .scratch = scratch.of_this_thread()});
    });
}

struct Depthwise : torch::autograd::Function<Depthwise> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& weight_,
                          const Tensor& bias_, std::int64_t dilation) {
        const auto x = x_.contiguous(), weight = weight_.contiguous(), bias = bias_.contiguous();
        auto out = torch::empty_like(x);
        filter_planes(x, weight, bias.const_data_ptr<float>(), /*flipped=*/false, static_cast<int>(dilation),
                      out);
        context->save_for_backward({x, weight});
        context->saved_data["dilation"] = dilation;
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto& weight = saved[1];
        const auto grad = grads[0].contiguous();
        const int dilation = static_cast<int>(context->saved_data["dilation"].toInt());
        Tensor x_grad;
        if (context->needs_input_grad(0)) {
            x_grad = torch::empty_like(x);
            filter_planes(grad, weight, nullptr, /*flipped=*/true, dilation, x_grad);
        }
        auto weight_grad = torch::empty_like(weight), bias_grad = torch::empty({x.size(1)});
        const Planes p(x);
        const int kernel = static_cast<int>(weight.size(2));
        Scratch scratch(kernels::plane_scratch(p.height, p.width, kernel, dilation));
        const auto* in = x.const_data_ptr<float>();
        const auto* g = grad.const_data_ptr<float>();
        auto* w = weight_grad.mutable_data_ptr<float>();
        auto* b = bias_grad.mutable_data_ptr<float>();
        const auto& k = kernels::kernels();
        kernels::parallel(p.channels, [&](int channel) {
            k.plane_depthwise_weights({.in = in + channel * p.size,
                                       .grad = g + channel * p.size,
                                       .batch = p.batch,
                                       .in_step = p.channels * p.size,
                                       .grad_step = p.channels * p.size,
                                       .height = p.height,
                                       .width = p.width,
                                       .kernel = kernel,
                                       .dilation = dilation,
                                       .w_grad = w + static_cast<Index>(channel) * kernel * kernel,
                                       .bias_grad = b + channel,
                                       .scratch = scratch.of_this_thread()});
        });
        return {x_grad, weight_grad, bias_grad, Tensor()};
    }
};

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
        const auto& k = kernels::kernels();
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
        const auto& k = kernels::kernels();
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

const std::int64_t largest_kernel = kernels::plane_kernel_limit;

bool takes(const Tensor& x) {
    return x.is_cpu() && x.scalar_type() == torch::kFloat32 && x.dim() == 4 && x.numel() > 0 &&
           !at::autocast::is_autocast_enabled(torch::kCPU);
}

Tensor depthwise(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t dilation) {
    return Depthwise::apply(x, weight, bias, dilation);
}

Tensor few_outputs(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    // One product a picture; matmul would turn x around first.
    const auto filters = weight.flatten(1).expand({x.size(0), weight.size(0), weight.size(1)});
    const auto y = torch::bmm(filters, x.flatten(2)) + bias.unsqueeze(1);
    return y.view({x.size(0), weight.size(0), x.size(2), x.size(3)});
}

Tensor group_norm_silu(const Tensor& x, std::int64_t groups, const Tensor& gamma, const Tensor& beta,
                       double eps, bool shuffle) {
    return GroupNormSilu::apply(x, gamma, beta, groups, eps, shuffle);
}

}  // namespace fused
}  // namespace stl
