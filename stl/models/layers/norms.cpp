#include "stl/models/layers/norms.h"

namespace stl {

LayerNorm2dImpl::LayerNorm2dImpl(std::int64_t channels) {
    weight = register_parameter("weight", torch::ones({channels}));
    bias = register_parameter("bias", torch::zeros({channels}));
}

torch::Tensor LayerNorm2dImpl::forward(const torch::Tensor& x) {
    return torch::layer_norm(x.permute({0, 2, 3, 1}), weight.sizes(), weight, bias, eps)
        .permute({0, 3, 1, 2});
}

torch::nn::LayerNorm layer_norm(std::int64_t channels, double eps) {
    return torch::nn::LayerNorm(torch::nn::LayerNormOptions({channels}).eps(eps));
}

torch::nn::BatchNorm2d batch_norm(std::int64_t channels) {
    return torch::nn::BatchNorm2d(channels);
}

torch::Tensor to_tokens(const torch::Tensor& x) {
    return x.flatten(2).transpose(1, 2);
}

torch::Tensor from_tokens(const torch::Tensor& tokens, std::int64_t height, std::int64_t width) {
    return tokens.transpose(1, 2).reshape({tokens.size(0), tokens.size(2), height, width});
}

}  // namespace stl
