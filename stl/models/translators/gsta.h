// gSTA: gated spatio-temporal attention, a large-kernel attention whose context gates itself.
//
// Block: x: [B,C,H',W'] -> the same (layers/large_kernel.h), with gate(x) = sigmoid(b) * a, [a, b] =
// context(x). Source: Tan et al., "SimVPv2: Towards Simple yet Powerful Spatiotemporal Predictive Learning"
// (2022).
#pragma once

#include "stl/models/layers/large_kernel.h"

namespace stl {

class GstaGate : public LargeKernelGate {
  public:
    explicit GstaGate(std::int64_t channels) : LargeKernelGate(channels, 2 * channels) {}
    torch::Tensor forward(const torch::Tensor& x) override;
};

class GstaBlock : public LargeKernelBlock {
  public:
    explicit GstaBlock(const BlockOptions& options);
};

}  // namespace stl
