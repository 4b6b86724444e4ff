// The operations on a GPU, by kernels of our own (stl/gpu) over a table of them: the plug-in's or, in tests, the
// emulated ones.
//
// They take x [B,C,H,W] in float32, bfloat16 or float16, best channels last (others are copied once), and leave the rest
// to the plain definitions. Under automatic mixed precision they take part as the definitions would. Sums are made in a
// fixed order: the same input gives the same result twice. What a function needs of its own stands in NAME_gpu.cpp.
#pragma once

#include "stl/gpu/kernel_table.h"
#include "stl/ops/operations.h"

namespace stl::ops {

class GpuOperations : public Operations {
  public:
    /// kernels: of tensors on devices of this type; they have to live as long.
    explicit GpuOperations(const gpu::KernelTable& kernels, torch::DeviceType device = torch::kCUDA)
        : kernels_(kernels), device_(device) {}

    /// Depthwise convolutions 3, 5 and 7 wide by our kernels; x may be a slice of another tensor's channels, which is
    /// not copied, the weight is unless it is float32 in the order [K,K,C]. Pointwise ones, channels last, as products:
    /// a GPU's library adds the bias within a product, where a convolution's is another pass.
    Tensor conv2d(const Tensor& x, const Convolution& convolution) const override;
    Tensor conv_norm_silu(const Tensor& x, const Convolution& convolution, const GroupNorm& norm,
                          bool shuffle) const override;
    /// What follows the convolution there.
    Tensor group_norm_silu(const Tensor& x, const GroupNorm& norm, bool shuffle) const;
    Tensor batch_norm(const Tensor& x, const BatchNorm& norm) const override;
    Tensor gelu_batch_norm(const Tensor& x, const BatchNorm& norm) const override;
    /// The sum has x's type, or float32 where x is narrower and mixed precision is on.
    Tensor residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                    const Tensor& keep) const override;
    Tensor scaled_sum(const Tensor& x, const Tensor& scale, const Tensor& branch) const override;
    Tensor decompose_silu(const Tensor& x, const Tensor& sigma) const override;
    Tensor silu_gate(const Tensor& a, const Tensor& b) const override;
    Tensor channel_aggregation(const Tensor& x, const Convolution& depthwise, const Convolution& decompose,
                               const Tensor& sigma) const override;
    Tensor to_tokens(const Tensor& x) const override;

    /// Whether the kernels take x.
    bool takes(const Tensor& x) const;

  private:
    const gpu::KernelTable& kernels_;
    torch::DeviceType device_;
};

}  // namespace stl::ops
