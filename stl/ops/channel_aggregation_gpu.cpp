#include "stl/gpu/channel_aggregation.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/gpu_tasks.h"

namespace stl::ops {
namespace {

using namespace gpu;

struct ChannelAggregationFunction : torch::autograd::Function<ChannelAggregationFunction> {
    static Tensor forward(AutogradContext* context, const KernelTable* kernels, const Tensor& x_,
                          const Tensor& weight_, const Tensor& bias_, const Tensor& sigma_) {
        const auto x = channels_last(x_), weight = as_floats(weight_.flatten()), bias = as_floats(bias_),
                   sigma = as_floats(sigma_.flatten());
        auto y = torch::empty_like(x), dots = floats(x, {x.numel() / x.size(1)});
        auto t = task(x, weight, sigma, dots);
        t.bias = bias.const_data_ptr<float>();
        t.y = y.mutable_data_ptr();
        kernels->channel_aggregation(t, kernels->current_stream());
        keep_kernels(context, *kernels);
        context->save_for_backward({x, weight, sigma, dots, weight_, sigma_});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        auto dots = saved[3];
        const auto grad = channels_last(grads[0].to(x.scalar_type()));
        const auto& kernels = kept_kernels(context);
        auto t = task(x, saved[1], saved[2], dots);
        t.parts = pixel_parts(kernels, 1, t.channels, t.pixels);
        auto x_grad = torch::empty_like(x), dot_grads = torch::empty_like(dots),
             parts = floats(x, {t.parts, 2, t.channels});
        t.grad = grad.const_data_ptr();
        t.x_grad = x_grad.mutable_data_ptr();
        t.dot_grads = dot_grads.mutable_data_ptr<float>();
        t.sums = parts.mutable_data_ptr<float>();
        kernels.channel_aggregation_gradient(t, kernels.current_stream());
        const auto sums = parts.sum(0);
        return {Tensor(), x_grad, sums[0].view(saved[4].sizes()), dot_grads.sum(0, /*keepdim=*/true),
                sums[1].view(saved[5].sizes())};
    }

  private:
    static ChannelAggregationTask task(const Tensor& x, const Tensor& weight, const Tensor& sigma,
                                       Tensor& dots) {
        ChannelAggregationTask t;
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

}  // namespace

Tensor GpuOperations::channel_aggregation(const Tensor& x, const Convolution& depthwise,
                                          const Convolution& decompose, const Tensor& sigma) const {
    if (!takes(x)) return Operations::channel_aggregation(x, depthwise, decompose, sigma);
    return ChannelAggregationFunction::apply(&kernels_, conv2d(x, depthwise), decompose.weight,
                                             decompose.bias, sigma);
}

}  // namespace stl::ops
