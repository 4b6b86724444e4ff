// The operations on a GPU, with our own kernels (stl/gpu), called through a table: the plug-in's or, in tests, the
// emulated one.
//
// They take x [B,C,H,W] in float32, bfloat16 or float16, preferably channels last (others are copied once), and leave
// the rest to the plain definitions. Under automatic mixed precision they behave as the definitions would. Sums are
// computed in a fixed order, so that results are reproducible. Code that only one function needs is in NAME_gpu.cpp.
#pragma once

#include "stl/gpu/kernel_table.h"
#include "stl/ops/operations.h"

namespace stl::ops {

class GpuOperations : public Operations {
  public:
    /// kernels: for tensors on devices of this type; must outlive this object.
    explicit GpuOperations(const gpu::KernelTable& kernels, torch::DeviceType device = torch::kCUDA)
        : kernels_(kernels), device_(device) {}

    /// Depthwise convolutions of size 3, 5 and 7 use our kernels. x may be a slice of another tensor's channels and is
    /// then not copied; the weight is copied unless it is float32 in the order [K,K,C]. Pointwise ones, channels last,
    /// are matrix products: the GPU's matrix library adds the bias within the product, its convolution library in
    /// another pass.
    Tensor conv2d(const Tensor& x, const Convolution& convolution) const override;
    Tensor conv_norm_silu(const Tensor& x, const Convolution& convolution, const GroupNorm& norm,
                          bool shuffle) const override;
    /// The part of conv_norm_silu() after the convolution.
    Tensor group_norm_silu(const Tensor& x, const GroupNorm& norm, bool shuffle) const;
    Tensor batch_norm(const Tensor& x, const BatchNorm& norm) const override;
    Tensor gelu_batch_norm(const Tensor& x, const BatchNorm& norm) const override;
    /// The sum has x's type, or float32 if x is narrower and mixed precision is on.
    Tensor residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                    const Tensor& keep) const override;
    Tensor scaled_sum(const Tensor& x, const Tensor& scale, const Tensor& branch) const override;
    Tensor decompose_silu(const Tensor& x, const Tensor& sigma) const override;
    Tensor silu_gate(const Tensor& a, const Tensor& b) const override;
    Tensor channel_aggregation(const Tensor& x, const Convolution& depthwise, const Convolution& decompose,
                               const Tensor& sigma) const override;
    Tensor to_tokens(const Tensor& x) const override;

    /// Whether the kernels support x.
    bool takes(const Tensor& x) const;

  private:
    const gpu::KernelTable& kernels_;
    torch::DeviceType device_;
};

}  // namespace stl::ops
