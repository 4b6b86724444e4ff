// The operations on a CPU, with our vector kernels (stl/cpu): one pass over memory where LibTorch needs several.
//
// They take x [B,C,H,W] in float32, or in bfloat16 under autocast, and leave the rest to the plain definitions. Results
// are float32 unless stated otherwise. Code that only one function needs is in NAME_cpu.cpp.
#pragma once

#include "stl/ops/operations.h"

namespace stl::ops {

class CpuOperations : public Operations {
  public:
    /// Depthwise convolutions use our kernels. Pointwise ones with few outputs are computed as matrix products; under
    /// autocast on tiles, all pointwise ones are, in bfloat16 and in x's memory order.
    Tensor conv2d(const Tensor& x, const Convolution& convolution) const override;
    /// The result is channels last and has conv2d's type.
    Tensor conv_norm_silu(const Tensor& x, const Convolution& convolution, const GroupNorm& norm,
                          bool shuffle) const override;
    /// On tiles, computed in bfloat16.
    Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) const override;
    /// The result has x's type.
    Tensor gelu(const Tensor& x) const override;
    Tensor depthwise_gelu(const Tensor& x, const Convolution& depthwise) const override;
    Tensor depthwise_gelu_batch_norm(const Tensor& x, const Convolution& depthwise,
                                     const BatchNorm& norm) const override;
    Tensor residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                    const Tensor& keep) const override;
    Tensor decompose_silu(const Tensor& x, const Tensor& sigma) const override;
    Tensor silu_gate(const Tensor& a, const Tensor& b) const override;
    Tensor channel_aggregation(const Tensor& x, const Convolution& depthwise, const Convolution& decompose,
                               const Tensor& sigma) const override;
    /// Sums in LibTorch's order, so that results are identical bit for bit.
    Tensor pool_difference(const Tensor& x) const override;
    /// On tiles, for up to 1024 tokens, as matrix products over the whole score matrix.
    Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) const override;
    Tensor to_tokens(const Tensor& x) const override;
    /// On tiles, converts to bfloat16 and channels last, and back.
    Tensor to_products(const Tensor& x) const override;
    Tensor from_products(const Tensor& y, const Tensor& x) const override;
};

/// Whether the kernels support x: its type, shape and device.
bool takes(const Tensor& x);
/// Whether they support x's type on its device.
bool takes_type(const Tensor& x);
/// Whether products of x are computed in bfloat16 on a CPU's tiles, i.e. under autocast on a processor that has tiles.
bool on_tiles(const Tensor& x);
/// x converted to the float32 that the kernels read.
Tensor widened(const Tensor& x);

}  // namespace stl::ops
