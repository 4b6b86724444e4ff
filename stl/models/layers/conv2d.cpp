#include "stl/models/layers/conv2d.h"

#include "stl/ops/convolve.h"
#include "stl/ops/gpu_operations.h"
#include "stl/ops/pointwise.h"

namespace stl {

Conv2dImpl::Conv2dImpl(const Conv2dOptions& conv) : options(conv) {
    weight = register_parameter("weight",
                                torch::empty({conv.out, conv.in / conv.groups, conv.kernel, conv.kernel}));
    bias = register_parameter("bias", torch::empty({conv.out}));
}

bool Conv2dImpl::is_depthwise() const {
    return options.groups == options.in && options.in == options.out && options.stride == 1 &&
           options.kernel % 2 == 1 && options.padding == options.dilation * (options.kernel - 1) / 2;
}

torch::Tensor Conv2dImpl::forward(const torch::Tensor& x) {
    if (fused && ops::takes(x)) {
        constexpr std::int64_t few = 4;
        if (is_depthwise() && options.kernel > 1 && options.kernel <= ops::largest_kernel) {
            return ops::depthwise(x, weight, bias, options.dilation);
        }
        if (options.kernel == 1 && options.stride == 1 && options.padding == 0 && options.groups == 1) {
            if (options.out <= few) return ops::few_outputs(x, weight, bias);
            // A GPU's library adds the bias within a product, where a convolution's is another pass.
            if (gpu::takes(x) && x.is_contiguous(torch::MemoryFormat::ChannelsLast))
                return ops::product_over_pixels(x, weight, bias);
            if (ops::on_tiles(x)) return ops::pointwise(x, weight, bias);
        }
    }
    return convolve(x, weight, bias,
                    {.stride = options.stride,
                     .padding = options.padding,
                     .dilation = options.dilation,
                     .groups = options.groups});
}

LinearImpl::LinearImpl(std::int64_t in, std::int64_t out, bool with_bias) {
    weight = register_parameter("weight", torch::empty({out, in}));
    if (with_bias) bias = register_parameter("bias", torch::empty({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
    return torch::linear(x, weight, bias);
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
