#include "stl/ops/depthwise_cpu.h"
#include "stl/ops/cpu_operations.h"
#include "stl/ops/depthwise_filter.h"

namespace stl::ops {
namespace {

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

}  // namespace

bool takes_depthwise(const Tensor& x, const Convolution& c) {
    return takes(x) && c.is_depthwise() && c.kernel() <= cpu::plane_kernel_limit;
}

Tensor depthwise(const Tensor& x, const Convolution& c) {
    return DepthwiseFunction::apply(widened(x), c.weight, c.bias, c.dilation, /*gelu=*/false);
}

Tensor CpuOperations::depthwise_gelu(const Tensor& x, const Convolution& c) const {
    if (!takes_depthwise(x, c)) return Operations::depthwise_gelu(x, c);
    return DepthwiseFunction::apply(widened(x), c.weight, c.bias, c.dilation, /*gelu=*/true);
}

}  // namespace stl::ops
