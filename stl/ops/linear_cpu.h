// The CPU kernels' linear(), for direct callers and the tests (linear_cpu.cpp).
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/ops/operations.h"

namespace stl::ops {

/// x weight^T + bias in bfloat16, with gradients. x: [...,I], float32 or bfloat16; weight: [O,I], bias: [O] or
/// undefined, float32. I and O: multiples of cpu::column_step.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const cpu::Kernels& kernels);

}  // namespace stl::ops
