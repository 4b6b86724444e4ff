// Operations of a network by kernels of our own, forward and backward, for whichever device has them
// (plugin.h). Each equals the chain of ATen operations in its comment, up to rounding.
//
// x: [B,C,H,W] float32, bfloat16 or float16, best channels last (others are copied once). Under automatic
// mixed precision they take part as the chain would. Sums are made in a fixed order: the same twice gives the
// same.
#pragma once

#include <cstdint>

#include "stl/runtime/torch.h"

namespace stl::gpu {

/// Whether the functions below take x.
bool takes(const torch::Tensor& x);
/// Whether depthwise() has such a kernel: 3, 5 and 7 wide, dilations of 1 to 3.
bool has_depthwise(std::int64_t kernel, std::int64_t dilation);
/// Whether it takes x.
bool takes_depthwise(const torch::Tensor& x, std::int64_t kernel, std::int64_t dilation);

/// silu(group_norm(x, groups, gamma, beta, eps)); with `shuffle`, of pixel_shuffle(x, 2).
torch::Tensor norm_silu(const torch::Tensor& x, std::int64_t groups, const torch::Tensor& gamma,
                        const torch::Tensor& beta, double eps, bool shuffle);

/// conv2d(x, weight, bias), one filter a channel, stride 1, padded so that the size stays. weight: [C,1,K,K],
/// of which a copy is made unless it is float32 in the order [K,K,C].
/// x may be a slice of another tensor's channels: that is not copied.
torch::Tensor depthwise(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                        std::int64_t dilation);

/// x + keep * scale * branch; scale: C elements, keep: [B], or undefined for 1. The sum has x's type, or
/// float32 where x is narrower and mixed precision is on.
torch::Tensor residual(const torch::Tensor& x, const torch::Tensor& branch, const torch::Tensor& scale,
                       const torch::Tensor& keep = {});

/// scale * x + branch; scale: C elements. The sum has residual()'s type. No gradients.
torch::Tensor scaled_sum(const torch::Tensor& x, const torch::Tensor& scale, const torch::Tensor& branch);

/// silu(a) * silu(b)
torch::Tensor gate(const torch::Tensor& a, const torch::Tensor& b);

/// Whether batch_norm() takes x: more than one value a channel.
bool takes_batch_norm(const torch::Tensor& x);

/// For one call: they refer to the tensors, [C] each. The running ones are moved, the variance unbiased.
struct BatchNorm {
    const torch::Tensor& gamma;
    const torch::Tensor& beta;
    const torch::Tensor& running_mean;  ///< float32, contiguous
    const torch::Tensor& running_var;   ///< likewise
    double momentum, eps;
};
/// batch_norm(x) in training; with `of_gelu`, of gelu(x).
torch::Tensor batch_norm(const torch::Tensor& x, const BatchNorm& norm, bool of_gelu);

/// h + sigma * (h - gelu(conv2d(h, weight, bias))) with h = gelu(x). weight: [1,C,1,1], bias: [1]; sigma: C
/// elements. The result has x's type.
torch::Tensor channel_aggregation(const torch::Tensor& x, const torch::Tensor& weight,
                                  const torch::Tensor& bias, const torch::Tensor& sigma);

/// silu(x + sigma * (x - x.mean({2, 3}, true))); sigma: C elements. The result has x's type.
torch::Tensor decompose_silu(const torch::Tensor& x, const torch::Tensor& sigma);

}  // namespace stl::gpu
