#include "stl/ops/cpu_operations.h"
#include "stl/ops/depthwise_cpu.h"
#include "stl/ops/depthwise_filter.h"

namespace stl::ops {
namespace {

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

Tensor CpuOperations::channel_aggregation(const Tensor& x, const Convolution& depthwise,
                                          const Convolution& decompose, const Tensor& sigma) const {
    if (!takes_depthwise(x, depthwise) || depthwise.dilation != 1)
        return Operations::channel_aggregation(x, depthwise, decompose, sigma);
    return ChannelAggregationFunction::apply(widened(x), depthwise.weight, depthwise.bias, decompose.weight,
                                             decompose.bias, sigma);
}

}  // namespace stl::ops
