// 1x1 convolutions of a training step as products over pixels, whose channels lie last.
#pragma once

#include "stl/ops/operations.h"

namespace stl::ops {

/// conv2d(x, weight, bias) for 1x1 filters and x with its channels last, as ops.linear() over all pixels; the result has
/// its channels last too. On any device, in any type. weight: [O,C,1,1]; bias: [O].
Tensor product_over_pixels(const Operations& ops, const Tensor& x, const Tensor& weight, const Tensor& bias);

/// On a CPU: x in bfloat16 with its channels last, or first. x: [B,C,H,W], float32 or bfloat16.
Tensor with_channels_last(const Tensor& x);
Tensor with_channels_first(const Tensor& x);

/// The same for few outputs on a CPU, in either order. The result's type is conv2d's.
Tensor few_outputs(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// The same on a CPU in mixed precision for x in either order, which on tiles (on_tiles()) takes little more than half
/// the time of oneDNN's convolution with channels first. In bfloat16 and in x's memory format: channels
/// last, or else contiguous.
Tensor pointwise(const Operations& ops, const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace stl::ops
