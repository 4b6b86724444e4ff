#include "stl/models/layers/conv2d.h"

namespace stl {

Conv2dImpl::Conv2dImpl(const Conv2dOptions& conv) : options(conv) {
    weight = register_parameter("weight",
                                torch::empty({conv.out, conv.in / conv.groups, conv.kernel, conv.kernel}));
    bias = register_parameter("bias", torch::empty({conv.out}));
}

ops::Convolution Conv2dImpl::convolution() const {
    return {.weight = weight,
            .bias = bias,
            .stride = options.stride,
            .padding = options.padding,
            .dilation = options.dilation,
            .groups = options.groups};
}

torch::Tensor Conv2dImpl::forward(const torch::Tensor& x) {
    return ops().conv2d(x, convolution());
}

LinearImpl::LinearImpl(std::int64_t in, std::int64_t out, bool with_bias) {
    weight = register_parameter("weight", torch::empty({out, in}));
    if (with_bias) bias = register_parameter("bias", torch::empty({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
    return ops().linear(x, weight, bias);
}

Conv2d pointwise(std::int64_t in, std::int64_t out) {
    return Conv2d(Conv2dOptions{.in = in, .out = out});
}

Conv2d depthwise(std::int64_t channels, std::int64_t kernel, std::int64_t dilation) {
    return Conv2d(Conv2dOptions{.in = channels,
                                .out = channels,
                                .kernel = kernel,
                                .padding = dilation * (kernel - 1) / 2,
                                .dilation = dilation,
                                .groups = channels});
}

}  // namespace stl
