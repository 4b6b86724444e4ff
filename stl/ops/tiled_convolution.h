// Convolutions of a training step on the processor's tiles (stl/cpu/convolution.h), with gradients.
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/ops/operations.h"

namespace stl::ops {

/// Whether tiled_convolution() takes it and is the quicker one: under autocast on a processor with tiles; an odd filter of
/// more than a pixel at stride 1 that keeps the size; a group's channels multiples of cpu::column_step.
bool takes_tiled_convolution(const Tensor& x, const Convolution& convolution);

/// conv2d(x), in bfloat16 and channels last. x: [B,C,H,W], float32 or bfloat16; weight and bias: float32, whose gradients
/// are summed in float32.
Tensor tiled_convolution(const Tensor& x, const Convolution& convolution, const cpu::Kernels& kernels);

}  // namespace stl::ops
