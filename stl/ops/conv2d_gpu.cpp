#include "stl/gpu/depthwise.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/gpu_tasks.h"
#include "stl/ops/pointwise.h"

namespace stl::ops {
namespace {

using namespace gpu;

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

Tensor filtered(const KernelTable& kernels, const Tensor& x, const Tensor& filters, const float* bias,
                std::int64_t dilation, bool turned) {
    auto t = depthwise_task(x, filters, dilation);
    auto y = empty_channels_last(x, x.sizes());
    t.turned = turned;
    t.bias = bias;
    t.x = x.const_data_ptr();
    t.x_pitch = pitch_of(x);
    t.y = y.mutable_data_ptr();
    kernels.depthwise(t, kernels.current_stream());
    return y;
}

/// [K*K+1,C], the bias' last.
Tensor filter_gradient(const KernelTable& kernels, const Tensor& x, const Tensor& grad, const Tensor& filters,
                       std::int64_t dilation) {
    auto t = depthwise_task(x, filters, dilation);
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
    static Tensor forward(AutogradContext* context, const KernelTable* kernels, const Tensor& x_,
                          const Tensor& weight, const Tensor& bias_, std::int64_t dilation) {
        const auto x = pixels_apart(x_), filters = as_floats(weight.flatten(1).t()), bias = as_floats(bias_);
        keep_kernels(context, *kernels);
        context->save_for_backward({x, filters, weight});
        context->saved_data["dilation"] = dilation;
        return filtered(*kernels, x, filters, bias.const_data_ptr<float>(), dilation, /*turned=*/false);
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &filters = saved[1];
        const auto dilation = context->saved_data["dilation"].toInt();
        const auto grad = pixels_apart(grads[0].to(x.scalar_type()));
        const auto& kernels = kept_kernels(context);
        Tensor x_grad;
        if (context->needs_input_grad(0))
            x_grad = filtered(kernels, grad, filters, nullptr, dilation, /*turned=*/true);
        const auto sums = filter_gradient(kernels, x, grad, filters, dilation);
        const auto taps = filters.size(0);
        const auto weight_grad = sums.narrow(0, 0, taps).t().reshape(saved[2].sizes());
        return {Tensor(), x_grad, weight_grad, sums.select(0, taps), Tensor()};
    }
};

/// As mixed precision gives a convolution's input.
Tensor narrowed(const Tensor& x) {
    return mixed_precision(x) ? x.to(at::autocast::get_autocast_dtype(x.device().type())) : x;
}

/// Up to so many outputs the library's convolution is quicker than a product.
constexpr std::int64_t few = 4;

}  // namespace

Tensor GpuOperations::conv2d(const Tensor& x, const Convolution& c) const {
    if (takes(x) && c.is_depthwise() && has_depthwise(c.kernel(), c.dilation))
        return DepthwiseFunction::apply(&kernels_, narrowed(x), c.weight, c.bias, c.dilation);
    if (takes(x) && c.is_pointwise() && c.weight.size(0) > few &&
        x.is_contiguous(torch::MemoryFormat::ChannelsLast))
        return product_over_pixels(*this, x, c.weight, c.bias);
    return Operations::conv2d(x, c);
}

}  // namespace stl::ops
