// Depthwise convolutions by our vector kernels.
#pragma once

#include "stl/ops/operations.h"

namespace stl::ops {

/// Whether depthwise() and what is fused with it take them.
bool takes_depthwise(const Tensor& x, const Convolution& convolution);
/// conv2d(x), float32.
Tensor depthwise(const Tensor& x, const Convolution& convolution);

}  // namespace stl::ops
