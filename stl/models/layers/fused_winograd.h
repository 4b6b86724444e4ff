// 3x3 convolutions of a training step by Winograd's algorithm (stl/kernels/winograd.h), forward and to the
// gradient of the input.
#pragma once

#include "stl/runtime/torch.h"

namespace stl::fused {

/// Whether winograd() takes them and is the quicker one: x float32 on a CPU without autocast, channels last,
/// pictures of 256 pixels and more; channels multiples of 16, stride and padding 1.
bool takes_winograd(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t stride,
                    std::int64_t padding);

/// conv2d(x, weight, bias, 1, 1), channels last. x: [B,I,H,W]; weight: [O,I,3,3]; bias: [O].
torch::Tensor winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace stl::fused
