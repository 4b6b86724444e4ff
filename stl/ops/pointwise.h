// 1x1 convolutions of a training step as products over pixels, whose channels lie last.
#pragma once

#include "stl/runtime/torch.h"

namespace stl::ops {

/// conv2d(x, weight, bias) for 1x1 filters and x with its channels last, as one matrix product over all pixels; the
/// result has its channels last too. On any device, in any type. weight: [O,C,1,1]; bias: [O].
torch::Tensor product_over_pixels(const torch::Tensor& x, const torch::Tensor& weight,
                                  const torch::Tensor& bias);

/// On a CPU: x in bfloat16 with its channels last, or first. x: [B,C,H,W], float32 or bfloat16.
torch::Tensor with_channels_last(const torch::Tensor& x);
torch::Tensor with_channels_first(const torch::Tensor& x);

/// The same for few outputs on a CPU, in either order. The result's type is conv2d's.
torch::Tensor few_outputs(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

/// The same on a CPU in mixed precision for x in either order, which on tiles (on_tiles()) takes little more than half
/// the time of oneDNN's convolution with channels first. In bfloat16 and in x's memory format: channels
/// last, or else contiguous.
torch::Tensor pointwise(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace stl::ops
