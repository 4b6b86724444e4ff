// Chains of elementwise operations of a training step on a CPU, each in one pass forward and one back, some
// together with the depthwise convolution before them. What is said in fused.h holds here.
#pragma once

#include <cstdint>

#include "stl/runtime/torch.h"

namespace stl::ops {

/// Whether those below take x: what fused.h takes, and on a CPU. (gelu() asks itself; silu_gate() and
/// decompose_silu() take all that fused.h does.)
bool takes_chain(const torch::Tensor& x);

/// gelu(x), of any shape, in x's type; the plain one where `fused` is false or x is not to be taken.
torch::Tensor gelu(const torch::Tensor& x, bool fused);

/// gelu(depthwise(x, weight, bias)).
torch::Tensor depthwise_gelu(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                             std::int64_t dilation);

/// MogaNet's channel aggregation: h + sigma * (h - gelu(conv2d(h, decompose, decompose_bias))) with
/// h = gelu(depthwise(x, weight, bias)). decompose, sigma: [1,C,1,1].
torch::Tensor channel_aggregation(const torch::Tensor& x, const torch::Tensor& weight,
                                  const torch::Tensor& bias, const torch::Tensor& decompose,
                                  const torch::Tensor& decompose_bias, const torch::Tensor& sigma);

/// silu(x + sigma * (x - x.mean({2, 3}, true))). sigma: [1,C,1,1].
torch::Tensor decompose_silu(const torch::Tensor& x, const torch::Tensor& sigma);

/// silu(a) * silu(b), of equal shapes.
torch::Tensor silu_gate(const torch::Tensor& a, const torch::Tensor& b);

/// x + scale * branch * kept. scale: C values; kept: [B,1,1,1], or undefined for 1 (stochastic depth).
torch::Tensor scaled_residual(const torch::Tensor& x, const torch::Tensor& branch, const torch::Tensor& scale,
                              const torch::Tensor& kept);

}  // namespace stl::ops
