#include "stl/models/layers/norms.h"

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/ops/chains.h"
#include "stl/ops/gpu_operations.h"

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

void BatchNorm2dImpl::count_batch(const torch::Tensor& x) {
    if (x.numel() == x.size(1)) {
        fail(
            "BatchNorm: one value a channel ({}) has no variance to train on, expected more sequences or "
            "pixels",
            to_string(x.sizes().vec()));
    }
    num_batches_tracked += 1;
}

torch::Tensor BatchNorm2dImpl::by_our_kernel(const torch::Tensor& x, bool of_gelu) {
    count_batch(x);
    return gpu::batch_norm(x, {weight, bias, running_mean, running_var, momentum, eps}, of_gelu);
}

torch::Tensor BatchNorm2dImpl::of_gelu(const torch::Tensor& x) {
    if (fused && is_training() && gpu::takes_batch_norm(x)) return by_our_kernel(x, /*of_gelu=*/true);
    return forward(ops::gelu(x, fused));
}

torch::Tensor BatchNorm2dImpl::forward(const torch::Tensor& x) {
    if (fused && is_training() && gpu::takes_batch_norm(x)) return by_our_kernel(x, /*of_gelu=*/false);
    if (is_training()) count_batch(x);
    return torch::batch_norm(x, weight, bias, running_mean, running_var, is_training(), momentum, eps,
                             at::globalContext().userEnabledCuDNN());
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

torch::Tensor to_tokens(const torch::Tensor& x, bool contiguous) {
    const auto tokens = x.flatten(2).transpose(1, 2);
    return contiguous ? tokens.contiguous() : tokens;
}

torch::Tensor from_tokens(const torch::Tensor& tokens, std::int64_t height, std::int64_t width) {
    return tokens.transpose(1, 2).reshape({tokens.size(0), tokens.size(2), height, width});
}

}  // namespace stl
