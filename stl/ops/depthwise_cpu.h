// Depthwise convolutions by our vector kernels.
#pragma once

#include "stl/ops/operations.h"

namespace stl::ops {

/// Whether depthwise() and the operations fused with it support these arguments.
bool takes_depthwise(const Tensor& x, const Convolution& convolution);
/// conv2d(x), float32.
Tensor depthwise(const Tensor& x, const Convolution& convolution);

}  // namespace stl::ops
