// VAN: large-kernel attention, whose context multiplies its input.
//
// Block: x: [B,C,H',W'] -> the same (layers/large_kernel.h), with gate(x) = x * context(x).
// Source: Guo et al., "Visual Attention Network" (Computational Visual Media 2023).
#pragma once

#include "stl/models/layers/large_kernel.h"

namespace stl {

class VanGate : public LargeKernelGate {
  public:
    explicit VanGate(std::int64_t channels) : LargeKernelGate(channels, channels) {}
    torch::Tensor forward(const torch::Tensor& x) override { return x * context(x); }
};

class VanBlock : public LargeKernelBlock {
  public:
    explicit VanBlock(const BlockOptions& options);
};

}  // namespace stl
