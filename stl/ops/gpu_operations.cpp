#include "stl/ops/gpu_operations.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <optional>

#include "stl/gpu/tensors.h"
#include "stl/runtime/autograd_function.h"

namespace stl::gpu {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using Gradients = torch::autograd::variable_list;

bool mixed_precision(const Tensor& x) {
    return at::autocast::is_autocast_enabled(x.device().type());
}

/// Into how many parts a kernel cuts each picture's pixels, or rows, for sums over each channel.
int pixel_parts(const KernelTable& kernels, Index pictures, Index channels, Index pixels) {
    constexpr Index channels_of_block = 128;
    return kernels.parts(pictures * ((channels + channels_of_block - 1) / channels_of_block), pixels);
}

NormTask norm_task(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::int64_t groups,
                   bool shuffle) {
    NormTask t;
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

struct NormSiluFunction : torch::autograd::Function<NormSiluFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& gamma_,
                          const Tensor& beta_, std::int64_t groups, double eps, bool shuffle) {
        const auto x = channels_last(x_), gamma = as_floats(gamma_), beta = as_floats(beta_);
        const auto& kernels = kernels_of(x);
        auto t = norm_task(x, gamma, beta, groups, shuffle);
        t.eps = static_cast<float>(eps);
        t.parts = kernels.parts(x.size(0) * groups, t.pixels());
        const int grow = shuffle ? 2 : 1;
        auto y = empty_channels_last(x, {x.size(0), t.channels_out(), x.size(2) * grow, x.size(3) * grow});
        auto sums = floats(x, {x.size(0), t.parts, groups, 2}), mean = floats(x, {x.size(0), groups}),
             rstd = floats(x, {x.size(0), groups});
        t.y = y.mutable_data_ptr();
        t.sums = sums.mutable_data_ptr<float>();
        t.mean = mean.mutable_data_ptr<float>();
        t.rstd = rstd.mutable_data_ptr<float>();
        kernels.norm_silu(t, kernels.current_stream());
        context->save_for_backward({x, gamma, beta, mean, rstd});
        context->saved_data["shuffle"] = shuffle;
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &gamma = saved[1];
        auto mean = saved[3], rstd = saved[4];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kernels_of(x);
        auto t = norm_task(x, gamma, saved[2], mean.size(1), context->saved_data["shuffle"].toBool());
        t.parts = kernels.parts(x.size(0), t.pixels());
        t.mean = mean.mutable_data_ptr<float>();
        t.rstd = rstd.mutable_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        auto parts = floats(x, {x.size(0), t.parts, gamma.size(0), 2});
        t.gradient_sums = parts.mutable_data_ptr<float>();
        kernels.norm_silu_gradient_sums(t, kernels.current_stream());

        const auto sums = parts.sum(1);  // [B,C',2]
        const auto size = static_cast<double>(t.pixels() * t.group_channels());
        const auto means = (sums * gamma.unsqueeze(-1)).view({x.size(0), t.groups, -1, 2}).sum(2).div_(size);
        auto x_grad = torch::empty_like(x);
        t.means_of = means.const_data_ptr<float>();
        t.x_grad = x_grad.mutable_data_ptr();
        kernels.norm_silu_gradient(t, kernels.current_stream());
        const auto of_both = sums.sum(0);
        return {x_grad, of_both.select(1, 0), of_both.select(1, 1), Tensor(), Tensor(), Tensor()};
    }
};

DepthwiseTask depthwise_task(const Tensor& x, const Tensor& filters, std::int64_t dilation) {
    DepthwiseTask t;
    t.type = type_of(x);
    t.batch = static_cast<int>(x.size(0));
    t.channels = static_cast<int>(x.size(1));
    t.height = static_cast<int>(x.size(2));
    t.width = static_cast<int>(x.size(3));
    while (t.kernel * t.kernel < filters.size(0)) t.kernel += 2;
    t.dilation = static_cast<int>(dilation);
    t.filters = filters.const_data_ptr<float>();
    return t;
}

Tensor convolve(const Tensor& x, const Tensor& filters, const float* bias, std::int64_t dilation,
                bool turned) {
    auto t = depthwise_task(x, filters, dilation);
    auto y = empty_channels_last(x, x.sizes());
    t.turned = turned;
    t.bias = bias;
    t.x = x.const_data_ptr();
    t.x_pitch = pitch_of(x);
    t.y = y.mutable_data_ptr();
    const auto& kernels = kernels_of(x);
    kernels.depthwise(t, kernels.current_stream());
    return y;
}

/// [K*K+1,C], the bias' last.
Tensor filter_gradient(const Tensor& x, const Tensor& grad, const Tensor& filters, std::int64_t dilation) {
    auto t = depthwise_task(x, filters, dilation);
    const auto& kernels = kernels_of(x);
    t.parts = pixel_parts(kernels, 2, t.channels, t.rows());  // two blocks fill a multiprocessor
    auto sums = floats(x, {t.parts, filters.size(0) + 1, x.size(1)});
    t.x = x.const_data_ptr();
    t.x_pitch = pitch_of(x);
    t.grad = grad.const_data_ptr();
    t.grad_pitch = pitch_of(grad);
    t.sums = sums.mutable_data_ptr<float>();
    kernels.depthwise_filter_gradient(t, kernels.current_stream());
    return sums.sum(0);
}

struct DepthwiseFunction : torch::autograd::Function<DepthwiseFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& weight,
                          const Tensor& bias_, std::int64_t dilation) {
        const auto x = pixels_apart(x_), filters = as_floats(weight.flatten(1).t()), bias = as_floats(bias_);
        context->save_for_backward({x, filters, weight});
        context->saved_data["dilation"] = dilation;
        return convolve(x, filters, bias.const_data_ptr<float>(), dilation, /*turned=*/false);
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &filters = saved[1];
        const auto dilation = context->saved_data["dilation"].toInt();
        const auto grad = pixels_apart(grads[0].to(x.scalar_type()));
        Tensor x_grad;
        if (context->needs_input_grad(0))
            x_grad = convolve(grad, filters, nullptr, dilation, /*turned=*/true);
        const auto sums = filter_gradient(x, grad, filters, dilation);
        const auto taps = filters.size(0);
        const auto weight_grad = sums.narrow(0, 0, taps).t().reshape(saved[2].sizes());
        return {x_grad, weight_grad, sums.select(0, taps), Tensor()};
    }
};

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
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& branch_,
                          const Tensor& scale_, const std::optional<Tensor>& keep_) {
        const auto x = channels_last(x_), branch = channels_last(branch_),
                   scale = as_floats(scale_.flatten());
        const auto keep = keep_ ? as_floats(keep_->flatten()) : Tensor();
        auto t = residual_task(x, branch, scale, keep);
        auto y = torch::empty_like(x);
        t.x = x.const_data_ptr();
        t.y = y.mutable_data_ptr();
        const auto& kernels = kernels_of(x);
        kernels.residual(t, kernels.current_stream());
        context->save_for_backward({branch, scale, keep, scale_});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &branch = saved[0], &scale = saved[1], &keep = saved[2];
        const auto grad = channels_last(grads[0]);
        auto t = residual_task(grad, branch, scale, keep);
        const auto& kernels = kernels_of(branch);
        t.parts = pixel_parts(kernels, t.batch, t.channels, t.pixels);
        auto branch_grad = torch::empty_like(branch);
        auto sums = floats(branch, {branch.size(0), t.parts, branch.size(1)});
        t.grad = grad.const_data_ptr();
        t.branch_grad = branch_grad.mutable_data_ptr();
        t.sums = sums.mutable_data_ptr<float>();
        kernels.residual_gradient(t, kernels.current_stream());
        return {grads[0], branch_grad, sums.flatten(0, 1).sum(0).view(saved[3].sizes()), Tensor()};
    }
};

struct GateFunction : torch::autograd::Function<GateFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& a_, const Tensor& b_) {
        const auto a = channels_last(a_), b = channels_last(b_);
        auto y = torch::empty_like(a);
        auto t = task(a, b);
        t.y = y.mutable_data_ptr();
        const auto& kernels = kernels_of(a);
        kernels.gate(t, kernels.current_stream());
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
        const auto& kernels = kernels_of(a);
        kernels.gate_gradient(t, kernels.current_stream());
        return {a_grad, b_grad};
    }

  private:
    static GateTask task(const Tensor& a, const Tensor& b) {
        GateTask t;
        t.type = type_of(a);
        t.size = a.numel();
        t.a = a.const_data_ptr();
        t.b = b.const_data_ptr();
        return t;
    }
};

BatchNormTask batch_norm_task(const Tensor& x, const Tensor& gamma, bool of_gelu) {
    BatchNormTask t;
    t.type = type_of(x);
    t.gelu = of_gelu;
    t.channels = static_cast<int>(x.size(1));
    t.pixels = x.numel() / x.size(1);
    t.parts = pixel_parts(kernels_of(x), 1, t.channels, t.pixels);
    t.x = x.const_data_ptr();
    t.gamma = gamma.const_data_ptr<float>();
    return t;
}

struct NormOfBatchFunction : torch::autograd::Function<NormOfBatchFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& gamma_,
                          const Tensor& beta_, Tensor running_mean, Tensor running_var, double momentum,
                          double eps, bool of_gelu) {
        const auto x = channels_last(x_), gamma = as_floats(gamma_), beta = as_floats(beta_);
        auto t = batch_norm_task(x, gamma, of_gelu);
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
        const auto& kernels = kernels_of(x);
        kernels.batch_norm(t, kernels.current_stream());
        context->save_for_backward({x, gamma, mean, rstd});
        context->saved_data["of_gelu"] = of_gelu;
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        auto mean = saved[2], rstd = saved[3];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kernels_of(x);
        auto t = batch_norm_task(x, saved[1], context->saved_data["of_gelu"].toBool());
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
        return {x_grad, sums[0], sums[1], Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

struct AggregationFunction : torch::autograd::Function<AggregationFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& weight_,
                          const Tensor& bias_, const Tensor& sigma_) {
        const auto x = channels_last(x_), weight = as_floats(weight_.flatten()), bias = as_floats(bias_),
                   sigma = as_floats(sigma_.flatten());
        auto y = torch::empty_like(x), dots = floats(x, {x.numel() / x.size(1)});
        auto t = task(x, weight, sigma, dots);
        t.bias = bias.const_data_ptr<float>();
        t.y = y.mutable_data_ptr();
        const auto& kernels = kernels_of(x);
        kernels.aggregation(t, kernels.current_stream());
        context->save_for_backward({x, weight, sigma, dots, weight_, sigma_});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        auto dots = saved[3];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kernels_of(x);
        auto t = task(x, saved[1], saved[2], dots);
        t.parts = pixel_parts(kernels, 1, t.channels, t.pixels);
        auto x_grad = torch::empty_like(x), dot_grads = torch::empty_like(dots),
             parts = floats(x, {t.parts, 2, t.channels});
        t.grad = grad.const_data_ptr();
        t.x_grad = x_grad.mutable_data_ptr();
        t.dot_grads = dot_grads.mutable_data_ptr<float>();
        t.sums = parts.mutable_data_ptr<float>();
        kernels.aggregation_gradient(t, kernels.current_stream());
        const auto sums = parts.sum(0);
        return {x_grad, sums[0].view(saved[4].sizes()), dot_grads.sum(0, /*keepdim=*/true),
                sums[1].view(saved[5].sizes())};
    }

  private:
    static AggregationTask task(const Tensor& x, const Tensor& weight, const Tensor& sigma, Tensor& dots) {
        AggregationTask t;
        t.type = type_of(x);
        t.channels = static_cast<int>(x.size(1));
        t.pixels = x.numel() / x.size(1);
        t.x = x.const_data_ptr();
        t.weight = weight.const_data_ptr<float>();
        t.sigma = sigma.const_data_ptr<float>();
        t.dots = dots.mutable_data_ptr<float>();
        return t;
    }
};

struct DecompositionFunction : torch::autograd::Function<DecompositionFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& sigma_) {
        const auto x = channels_last(x_), sigma = as_floats(sigma_.flatten()),
                   mean = x.mean({2, 3}, /*keepdim=*/false, torch::kFloat32).contiguous();
        auto y = torch::empty_like(x);
        auto t = task(x, mean, sigma);
        t.y = y.mutable_data_ptr();
        const auto& kernels = kernels_of(x);
        kernels.decomposition(t, kernels.current_stream());
        context->save_for_backward({x, mean, sigma, sigma_});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kernels_of(x);
        auto t = task(x, saved[1], saved[2]);
        t.parts = pixel_parts(kernels, t.batch, t.channels, t.pixels);
        auto parts = floats(x, {t.batch, t.parts, 2, t.channels});
        t.grad = grad.const_data_ptr();
        t.sums = parts.mutable_data_ptr<float>();
        kernels.decomposition_gradient_sums(t, kernels.current_stream());

        const auto sums = parts.sum(1);  // [B,2,C]
        const auto means = sums.select(1, 0).div(static_cast<double>(t.pixels)).contiguous();
        auto x_grad = torch::empty_like(x);
        t.mean_of = means.const_data_ptr<float>();
        t.x_grad = x_grad.mutable_data_ptr();
        kernels.decomposition_gradient(t, kernels.current_stream());
        return {x_grad, sums.select(1, 1).sum(0).view(saved[3].sizes())};
    }

  private:
    static DecompositionTask task(const Tensor& x, const Tensor& mean, const Tensor& sigma) {
        DecompositionTask t;
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

/// x in the type of its sum with a branch.
Tensor as_sum(const Tensor& x, const Tensor& branch) {
    const bool widen = mixed_precision(x) || branch.scalar_type() == torch::kFloat32;
    return widen ? x.to(torch::kFloat32) : x;
}

/// As mixed precision gives a convolution's input.
Tensor narrowed(const Tensor& x) {
    return mixed_precision(x) ? x.to(at::autocast::get_autocast_dtype(x.device().type())) : x;
}

}  // namespace

bool takes(const Tensor& x) {
    constexpr std::int64_t most_pictures = 65535;  // of a launch's grid
    const auto type = x.scalar_type();
    return x.dim() == 4 && x.numel() > 0 && x.size(0) <= most_pictures &&
           (type == torch::kFloat32 || type == torch::kBFloat16 || type == torch::kFloat16) &&
           kernels_for(x.device()) != nullptr;
}

bool has_depthwise(std::int64_t kernel, std::int64_t dilation) {
    return std::ranges::count(depthwise_kernels, kernel) == 1 && dilation >= 1 &&
           dilation <= depthwise_dilations;
}

bool takes_depthwise(const Tensor& x, std::int64_t kernel, std::int64_t dilation) {
    return has_depthwise(kernel, dilation) && takes(x);
}

Tensor norm_silu(const Tensor& x, std::int64_t groups, const Tensor& gamma, const Tensor& beta, double eps,
                 bool shuffle) {
    return NormSiluFunction::apply(x, gamma, beta, groups, eps, shuffle);
}

Tensor depthwise(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t dilation) {
    return DepthwiseFunction::apply(narrowed(x), weight, bias, dilation);
}

Tensor residual(const Tensor& x, const Tensor& branch, const Tensor& scale, const Tensor& keep) {
    const auto some = keep.defined() ? std::optional(keep) : std::nullopt;
    return ResidualFunction::apply(as_sum(x, branch), branch, scale, some);
}

Tensor scaled_sum(const Tensor& x_, const Tensor& scale_, const Tensor& branch_) {
    const auto x = channels_last(as_sum(x_, branch_)), branch = channels_last(branch_),
               scale = as_floats(scale_.flatten());
    auto y = torch::empty_like(x);
    auto t = residual_task(x, branch);
    t.x = x.const_data_ptr();
    t.x_scale = scale.const_data_ptr<float>();
    t.y = y.mutable_data_ptr();
    const auto& kernels = kernels_of(x);
    kernels.residual(t, kernels.current_stream());
    return y;
}

bool takes_batch_norm(const Tensor& x) {
    return takes(x) && x.numel() > x.size(1);
}

Tensor batch_norm(const Tensor& x, const BatchNorm& norm, bool of_gelu) {
    return NormOfBatchFunction::apply(x, norm.gamma, norm.beta, norm.running_mean, norm.running_var,
                                      norm.momentum, norm.eps, of_gelu);
}

Tensor channel_aggregation(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& sigma) {
    return AggregationFunction::apply(x, weight, bias, sigma);
}

Tensor decompose_silu(const Tensor& x, const Tensor& sigma) {
    return DecompositionFunction::apply(x, sigma);
}

Tensor gate(const Tensor& a, const Tensor& b) {
    return GateFunction::apply(a, b.to(a.scalar_type()));
}

}  // namespace stl::gpu
