// 1x1 convolutions of a training step as matrix products over pixels, with channels last.
#pragma once

#include "stl/ops/operations.h"

namespace stl::ops {

/// conv2d(x, weight, bias) for 1x1 filters and channels-last x, as ops.linear() over all pixels; the result is also
/// channels last. On any device, in any type. weight: [O,C,1,1]; bias: [O].
Tensor product_over_pixels(const Operations& ops, const Tensor& x, const Tensor& weight, const Tensor& bias);

/// On a CPU: x converted to bfloat16 and channels last (or channels first). x: [B,C,H,W], float32 or bfloat16.
Tensor with_channels_last(const Tensor& x);
Tensor with_channels_first(const Tensor& x);

/// conv2d(x, weight, bias) with few outputs on a CPU, for either memory order of x. The result has conv2d's type.
Tensor few_outputs(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// The same on a CPU in mixed precision, for either memory order of x; with channels first on tiles (on_tiles()), it
/// takes little more than half the time of oneDNN's convolution. The result is bfloat16 in x's memory format: channels
/// last, or else contiguous.
Tensor pointwise(const Operations& ops, const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace stl::ops
