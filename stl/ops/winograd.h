// 3x3 convolutions of a training step by Winograd's algorithm (stl/cpu/winograd.h), forward and
// backward.
#pragma once

#include "stl/runtime/torch.h"

namespace stl::ops {

/// Whether winograd() supports these arguments and is faster than conv2d: x of a type that takes_type() accepts,
/// channels last, frames of at least 256 pixels; numbers of channels that are multiples of 16, stride and padding 1.
bool takes_winograd(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t stride,
                    std::int64_t padding);

/// conv2d(x, weight, bias, 1, 1), channels last and of its type. x: [B,I,H,W]; weight: [O,I,3,3], bias: [O],
/// float32. Computed in float32 also under autocast, where x is rounded to bfloat16 first and the result at
/// the end: without tiles (on_tiles()), that is nearly as fast as rounding the factors, and as accurate as conv2d in
/// bfloat16.
torch::Tensor winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace stl::ops
