// torch::conv2d, with a workaround for an out-of-bounds write in oneDNN.
#pragma once

#include "stl/ops/operations.h"

namespace stl::ops {

/// conv2d(x) with the same result and gradients, except that for a few output channels in bfloat16 on a CPU the bias
/// gradient is summed here, in float32 (convolve.cpp says why). Used for every convolution of a training step on a CPU.
Tensor convolve(const Tensor& x, const Convolution& convolution);

}  // namespace stl::ops
