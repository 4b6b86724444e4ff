#include "stl/ops/operations.h"

#include "stl/gpu/plugin.h"
#include "stl/ops/convolve.h"
#include "stl/ops/cpu_operations.h"
#include "stl/ops/gpu_operations.h"

namespace stl::ops {
namespace {

/// One value a channel, against [B,C,H,W].
Tensor by_channel(const Tensor& scale) {
    return scale.view({-1, 1, 1});
}

}  // namespace

bool Convolution::is_depthwise() const {
    return weight.size(1) == 1 && groups == weight.size(0) && stride == 1 && kernel() > 1 &&
           kernel() % 2 == 1 && padding == dilation * (kernel() - 1) / 2;
}

bool Convolution::is_pointwise() const {
    return kernel() == 1 && stride == 1 && padding == 0 && groups == 1;
}

Tensor Operations::conv2d(const Tensor& x, const Convolution& convolution) const {
    return convolve(x, convolution);
}

Tensor Operations::conv_norm_silu(const Tensor& x, const Convolution& convolution, const GroupNorm& norm,
                                  bool shuffle) const {
    auto y = conv2d(x, convolution);
    if (shuffle) y = torch::pixel_shuffle(y, 2);
    return torch::silu(torch::group_norm(y, norm.groups, norm.gamma, norm.beta, norm.eps));
}

Tensor Operations::linear(const Tensor& x, const Tensor& weight, const Tensor& bias) const {
    return torch::linear(x, weight, bias);
}

Tensor Operations::gelu(const Tensor& x) const {
    return torch::gelu(x);
}

Tensor Operations::depthwise_gelu(const Tensor& x, const Convolution& depthwise) const {
    return gelu(conv2d(x, depthwise));
}

Tensor Operations::batch_norm(const Tensor& x, const BatchNorm& norm) const {
    return torch::batch_norm(x, norm.gamma, norm.beta, norm.running_mean, norm.running_var, norm.training,
                             norm.momentum, norm.eps, at::globalContext().userEnabledCuDNN());
}

Tensor Operations::gelu_batch_norm(const Tensor& x, const BatchNorm& norm) const {
    return batch_norm(gelu(x), norm);
}

Tensor Operations::depthwise_gelu_batch_norm(const Tensor& x, const Convolution& depthwise,
                                             const BatchNorm& norm) const {
    return gelu_batch_norm(conv2d(x, depthwise), norm);
}

Tensor Operations::residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                            const Tensor& keep) const {
    const auto scaled = by_channel(scale) * branch;
    return x + (keep.defined() ? scaled * keep : scaled);
}

Tensor Operations::scaled_sum(const Tensor& x, const Tensor& scale, const Tensor& branch) const {
    return x * by_channel(scale) + branch;
}

Tensor Operations::decompose_silu(const Tensor& x, const Tensor& sigma) const {
    return torch::silu(x + sigma * (x - x.mean({2, 3}, /*keepdim=*/true)));
}

Tensor Operations::silu_gate(const Tensor& a, const Tensor& b) const {
    return torch::silu(a) * torch::silu(b);
}

Tensor Operations::channel_aggregation(const Tensor& x, const Convolution& depthwise,
                                       const Convolution& decompose, const Tensor& sigma) const {
    const auto h = torch::gelu(conv2d(x, depthwise));
    return aggregate_channels(h, conv2d(h, decompose), sigma);
}

Tensor Operations::pool_difference(const Tensor& x) const {
    return torch::avg_pool2d(x, 3, /*stride=*/1, /*padding=*/1, /*ceil_mode=*/false,
                             /*count_include_pad=*/false) -
           x;
}

Tensor Operations::attention(const Tensor& q, const Tensor& k, const Tensor& v) const {
    return torch::scaled_dot_product_attention(q, k, v);
}

Tensor Operations::to_tokens(const Tensor& x) const {
    return x.flatten(2).transpose(1, 2);
}

Tensor Operations::to_products(const Tensor& x) const {
    return x;
}

Tensor Operations::from_products(const Tensor& y, const Tensor& /*x*/) const {
    return y;
}

Tensor aggregate_channels(const Tensor& h, const Tensor& decomposed, const Tensor& sigma) {
    return h + sigma * (h - torch::gelu(decomposed));
}

std::shared_ptr<const Operations> plain_operations() {
    static const auto operations = std::make_shared<const Operations>();
    return operations;
}

std::shared_ptr<const Operations> fast_operations(torch::Device device) {
    if (device.is_cpu()) return std::make_shared<CpuOperations>();
    const auto* kernels = gpu::kernels_for(device);
    if (kernels == nullptr) return plain_operations();
    return std::make_shared<GpuOperations>(*kernels);
}

}  // namespace stl::ops
