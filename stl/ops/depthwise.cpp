// Depthwise convolutions of a training step, alone and with what follows them.
#include <algorithm>

#include "stl/ops/chains.h"
#include "stl/ops/fused.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

/// One filter a channel over planes, with one thread's scratch memory.
class Filter {
  public:
    Filter(const Planes& planes, const Tensor& weight, std::int64_t dilation)
        : planes_(planes),
          weight_(weight.const_data_ptr<float>()),
          kernel_(static_cast<int>(weight.size(2))),
          dilation_(static_cast<int>(dilation)),
          scratch_(cpu::plane_scratch(planes.height, planes.width, kernel_, dilation_)) {}

    void forward(const float* in, int channel, float bias, float* out) { run(in, channel, false, bias, out); }
    /// The input's gradient from the output's.
    void backward(const float* grad, int channel, float* in_grad) { run(grad, channel, true, 0, in_grad); }

    /// The channel's weight and bias gradients; the pictures' planes lie `picture` and `grad_picture` apart.
    void weights(const float* in, const float* grad, Index grad_picture, int channel, float* weight_grad,
                 float* bias_grad) {
        cpu::kernels().training.depthwise_weights({.in = in,
                                                   .grad = grad,
                                                   .batch = planes_.batch,
                                                   .in_step = planes_.picture,
                                                   .grad_step = grad_picture,
                                                   .height = planes_.height,
                                                   .width = planes_.width,
                                                   .kernel = kernel_,
                                                   .dilation = dilation_,
                                                   .w_grad = weight_grad + taps(channel),
                                                   .bias_grad = bias_grad + channel,
                                                   .scratch = scratch_.of_this_thread()});
    }

  private:
    Index taps(int channel) const { return static_cast<Index>(channel) * kernel_ * kernel_; }

    void run(const float* in, int channel, bool flipped, float bias, float* out) {
        cpu::kernels().training.depthwise({.in = in,
                                           .w = weight_ + taps(channel),
                                           .flipped = flipped,
                                           .bias = bias,
                                           .out = out,
                                           .height = planes_.height,
                                           .width = planes_.width,
                                           .kernel = kernel_,
                                           .dilation = dilation_,
                                           .scratch = scratch_.of_this_thread()});
    }

    const Planes planes_;
    const float* weight_;
    int kernel_, dilation_;
    Scratch scratch_;
};

/// A channel's planes of the output's gradient, `picture` floats apart.
struct ChannelGrad {
    const float* first;
    Index picture;
};

/// The gradients of x, weight and bias, channel by channel. output_grad(channel) gives the channel's
/// ChannelGrad, which is used up before the same thread asks for another.
template <class OutputGrad>
Gradients depthwise_gradients(const Tensor& x, const Tensor& weight, std::int64_t dilation, bool wants_x,
                              const OutputGrad& output_grad) {
    const Planes p(x);
    auto x_grad = wants_x ? torch::empty(x.sizes()) : Tensor();
    auto weight_grad = torch::empty_like(weight), bias_grad = torch::empty({x.size(1)});
    Filter filter(p, weight, dilation);
    const auto* in = x.const_data_ptr<float>();
    auto* dx = wants_x ? x_grad.mutable_data_ptr<float>() : nullptr;
    auto* dw = weight_grad.mutable_data_ptr<float>();
    auto* db = bias_grad.mutable_data_ptr<float>();
    cpu::parallel(p.channels, [&](int channel) {
        const ChannelGrad grad = output_grad(channel);
        filter.weights(in + channel * p.size, grad.first, grad.picture, channel, dw, db);
        for (int n = 0; wants_x && n < p.batch; ++n) {
            filter.backward(grad.first + n * grad.picture, channel,
                            dx + (static_cast<Index>(n) * p.channels + channel) * p.size);
        }
    });
    return {x_grad, weight_grad, bias_grad};
}

struct DepthwiseFunction : torch::autograd::Function<DepthwiseFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& weight_,
                          const Tensor& bias_, std::int64_t dilation, bool gelu) {
        const auto x = as_planes(x_), weight = weight_.contiguous(), bias = bias_.contiguous();
        auto out = torch::empty(x.sizes());
        auto filtered = gelu ? torch::empty(x.sizes()) : out;
        const Planes p(x), q(out);
        Filter filter(p, weight, dilation);
        const auto* in = x.const_data_ptr<float>();
        const auto* b = bias.const_data_ptr<float>();
        auto* d = filtered.mutable_data_ptr<float>();
        auto* y = out.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        cpu::parallel(p.batch * p.channels, [&](int plane) {
            const int n = plane / p.channels, channel = plane % p.channels;
            const Index at = q.at(n, channel);
            filter.forward(in + p.at(n, channel), channel, b[channel], d + at);
            if (gelu) k.gelu({.in = d + at, .out = y + at, .count = q.size});
        });
        context->save_for_backward({x, weight, gelu ? filtered : Tensor()});
        context->saved_data["dilation"] = dilation;
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto grad = as_planes(grads[0]);
        const auto dilation = context->saved_data["dilation"].toInt();
        const bool wants_x = context->needs_input_grad(0);
        auto result = saved[2].defined() ? through_gelu(saved, grad, dilation, wants_x)
                                         : directly(saved, grad, dilation, wants_x);
        result.resize(5);
        return result;
    }

  private:
    static Gradients directly(const Gradients& saved, const Tensor& grad, std::int64_t dilation,
                              bool wants_x) {
        const Planes p(grad);
        const auto* g = grad.const_data_ptr<float>();
        return depthwise_gradients(saved[0], saved[1], dilation, wants_x, [&](int channel) {
            return ChannelGrad{g + channel * p.size, p.picture};
        });
    }

    static Gradients through_gelu(const Gradients& saved, const Tensor& grad, std::int64_t dilation,
                                  bool wants_x) {
        const Planes p(grad), q(saved[2]);
        const auto* g = grad.const_data_ptr<float>();
        const auto* d = saved[2].const_data_ptr<float>();
        Scratch scratch(static_cast<std::size_t>(p.batch * p.size));
        const auto& k = cpu::kernels().training;
        return depthwise_gradients(saved[0], saved[1], dilation, wants_x, [&](int channel) {
            float* out = scratch.of_this_thread();
            for (int n = 0; n < p.batch; ++n) {
                k.gelu_backward({.in = d + q.at(n, channel),
                                 .grad = g + p.at(n, channel),
                                 .in_grad = out + n * p.size,
                                 .count = p.size});
            }
            return ChannelGrad{out, p.size};
        });
    }
};

/// Channels whose weighted sum one thread makes; fixed, so that the sums do not depend on the threads.
constexpr int sum_channels = 32;

/// Sum over channels, [B,H,W]: add(n, channel, sums) adds a channel of picture n to sums [H*W].
template <class Add>
Tensor sum_over_channels(const Planes& p, const Add& add) {
    const int parts = (p.channels + sum_channels - 1) / sum_channels;
    auto sums = torch::zeros({p.batch, parts, p.height, p.width});
    auto* s = sums.mutable_data_ptr<float>();
    cpu::parallel(p.batch * parts, [&](int unit) {
        const int n = unit / parts, first = unit % parts * sum_channels;
        for (int channel = first; channel < std::min(first + sum_channels, p.channels); ++channel)
            add(n, channel, s + unit * p.size);
    });
    return sums.sum(1);
}

struct ChannelAggregationFunction : torch::autograd::Function<ChannelAggregationFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& weight_,
                          const Tensor& bias_, const Tensor& decompose_, const Tensor& decompose_bias,
                          const Tensor& sigma_) {
        const auto x = as_planes(x_), weight = weight_.contiguous(), bias = bias_.contiguous(),
                   decompose = decompose_.contiguous(), sigma = sigma_.contiguous();
        auto filtered = torch::empty(x.sizes()), out = torch::empty(x.sizes());
        const Planes p(x), q(out);
        Filter filter(p, weight, 1);
        const auto* in = x.const_data_ptr<float>();
        const auto* b = bias.const_data_ptr<float>();
        const auto* w = decompose.const_data_ptr<float>();
        const auto* s = sigma.const_data_ptr<float>();
        auto* d = filtered.mutable_data_ptr<float>();
        auto* y = out.mutable_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        const auto before_gate =
            sum_over_channels(p, [&](int n, int channel, float* sums) {
                const Index at = q.at(n, channel);
                filter.forward(in + p.at(n, channel), channel, b[channel], d + at);
                k.gelu({.in = d + at, .out = y + at, .count = q.size, .weight = w[channel], .sums = sums});
            }).add_(decompose_bias);
        const auto gate = torch::gelu(before_gate);
        const auto* g = gate.const_data_ptr<float>();
        cpu::parallel(p.batch * p.channels, [&](int plane) {
            const float share = s[plane % p.channels];
            float* values = y + plane * q.size;
            k.blend({.a = values,
                     .s = 1 + share,
                     .b = g + plane / p.channels * p.size,
                     .t = -share,
                     .out = values,
                     .count = p.size});
        });
        context->save_for_backward({x, weight, filtered, decompose, sigma, before_gate, gate});
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &filtered = saved[2], &decompose = saved[3], &sigma = saved[4];
        const auto grad = as_planes(grads[0]);
        const Planes p(grad), q(filtered);
        const auto* g = grad.const_data_ptr<float>();
        const auto* d = filtered.const_data_ptr<float>();
        const auto* w = decompose.const_data_ptr<float>();
        const auto* s = sigma.const_data_ptr<float>();
        const auto& k = cpu::kernels().training;
        const auto gate_grad = sum_over_channels(p, [&](int n, int channel, float* sums) {
            k.blend({.a = sums, .b = g + p.at(n, channel), .t = -s[channel], .out = sums, .count = p.size});
        });
        const auto sum_grad = torch::gelu_backward(gate_grad, saved[5]);
        const auto* gate = saved[6].const_data_ptr<float>();
        const auto* ds = sum_grad.const_data_ptr<float>();
        auto sigma_grad = torch::empty_like(sigma), decompose_grad = torch::empty_like(decompose);
        auto* dsigma = sigma_grad.mutable_data_ptr<float>();
        auto* dw = decompose_grad.mutable_data_ptr<float>();
        Scratch scratch(static_cast<std::size_t>(p.batch * p.size));
        auto of_filter =
            depthwise_gradients(saved[0], saved[1], 1, context->needs_input_grad(0), [&](int channel) {
                float* out = scratch.of_this_thread();
                double of_sigma = 0, of_weight = 0;
                for (int n = 0; n < p.batch; ++n) {
                    k.aggregation_backward({.in = d + q.at(n, channel),
                                            .grad = g + p.at(n, channel),
                                            .gate = gate + n * p.size,
                                            .sum_grad = ds + n * p.size,
                                            .sigma = s[channel],
                                            .weight = w[channel],
                                            .in_grad = out + n * p.size,
                                            .count = p.size,
                                            .sigma_grad = &of_sigma,
                                            .weight_grad = &of_weight});
                }
                dsigma[channel] = static_cast<float>(of_sigma);
                dw[channel] = static_cast<float>(of_weight);
                return ChannelGrad{out, p.size};
            });
        return {of_filter[0], of_filter[1], of_filter[2], decompose_grad, sum_grad.sum().view({1}),
                sigma_grad};
    }
};

}  // namespace

const std::int64_t largest_kernel = cpu::plane_kernel_limit;

Tensor depthwise(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t dilation) {
    if (gpu::takes_depthwise(x, weight.size(2), dilation)) return gpu::depthwise(x, weight, bias, dilation);
    if (gpu::takes(x)) {
        const auto padding = dilation * (weight.size(2) - 1) / 2;
        return torch::conv2d(x, weight, bias, 1, padding, dilation, weight.size(0));
    }
    return DepthwiseFunction::apply(widened(x), weight, bias, dilation, /*gelu=*/false);
}

Tensor depthwise_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t dilation) {
    return DepthwiseFunction::apply(widened(x), weight, bias, dilation, /*gelu=*/true);
}

Tensor channel_aggregation(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& decompose,
                           const Tensor& decompose_bias, const Tensor& sigma) {
    return ChannelAggregationFunction::apply(widened(x), weight, bias, decompose, decompose_bias, sigma);
}

}  // namespace stl::ops
