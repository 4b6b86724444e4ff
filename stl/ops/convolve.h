// torch::conv2d, except where that would harm.
#pragma once

#include "stl/ops/operations.h"

namespace stl::ops {

/// conv2d(x): the same result and gradients, except that few outputs in bfloat16 on a CPU have their bias's gradient
/// summed here (convolve.cpp says why), in float32. For every convolution of a training step on a CPU.
Tensor convolve(const Tensor& x, const Convolution& convolution);

}  // namespace stl::ops
