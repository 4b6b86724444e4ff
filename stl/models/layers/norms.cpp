#include "stl/models/layers/norms.h"

#include "stl/core/array.h"
#include "stl/core/error.h"

namespace stl {
namespace {

void add_affine(torch::nn::Module& norm, std::int64_t channels, torch::Tensor& weight, torch::Tensor& bias) {
    weight = norm.register_parameter("weight", torch::ones({channels}));
    bias = norm.register_parameter("bias", torch::zeros({channels}));
}

}  // namespace

GroupNormImpl::GroupNormImpl(std::int64_t count, std::int64_t channels) : groups(count) {
    add_affine(*this, channels, weight, bias);
}

torch::Tensor GroupNormImpl::forward(const torch::Tensor& x) {
    return torch::group_norm(x, groups, weight, bias, eps);
}

BatchNorm2dImpl::BatchNorm2dImpl(std::int64_t channels) {
    add_affine(*this, channels, weight, bias);
    running_mean = register_buffer("running_mean", torch::zeros({channels}));
    running_var = register_buffer("running_var", torch::ones({channels}));
    num_batches_tracked = register_buffer("num_batches_tracked", torch::tensor(0, torch::kInt64));
}

ops::BatchNorm BatchNorm2dImpl::norm_for(const torch::Tensor& x) {
    if (is_training()) {
        if (x.numel() == x.size(1)) {
            fail(
                "BatchNorm: one value per channel ({}) has no variance; training needs a larger batch or "
                "larger "
                "frames",
                to_string(x.sizes().vec()));
        }
        num_batches_tracked += 1;
    }
    return {.gamma = weight,
            .beta = bias,
            .running_mean = running_mean,
            .running_var = running_var,
            .momentum = momentum,
            .eps = eps,
            .training = is_training()};
}

torch::Tensor BatchNorm2dImpl::forward(const torch::Tensor& x) {
    return ops().batch_norm(x, norm_for(x));
}

torch::Tensor BatchNorm2dImpl::of_gelu(const torch::Tensor& x) {
    return ops().gelu_batch_norm(x, norm_for(x));
}

torch::Tensor BatchNorm2dImpl::of_depthwise_gelu(const torch::Tensor& x, const Conv2d& depthwise) {
    return ops().depthwise_gelu_batch_norm(x, depthwise->convolution(), norm_for(x));
}

LayerNormImpl::LayerNormImpl(std::int64_t channels, double epsilon) : eps(epsilon) {
    add_affine(*this, channels, weight, bias);
}

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x) {
    return torch::layer_norm(x, weight.sizes(), weight, bias, eps);
}

LayerNorm2dImpl::LayerNorm2dImpl(std::int64_t channels) {
    add_affine(*this, channels, weight, bias);
}

torch::Tensor LayerNorm2dImpl::forward(const torch::Tensor& x) {
    return torch::layer_norm(x.permute({0, 2, 3, 1}), weight.sizes(), weight, bias, eps)
        .permute({0, 3, 1, 2});
}

torch::Tensor from_tokens(const torch::Tensor& tokens, std::int64_t height, std::int64_t width) {
    return tokens.transpose(1, 2).reshape({tokens.size(0), tokens.size(2), height, width});
}

}  // namespace stl
