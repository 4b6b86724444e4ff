// The operations that networks are written in, with their plain definitions.
//
// A layer calls the operations that its model was given (models/layers/layer.h). This class defines each by LibTorch's
// own operators, as its comment says: the plain path, for every type and device. A back end overrides those that it can
// do faster, and leaves to this class the tensors that it does not support:
//
//   CpuOperations (cpu_operations.h)   vector kernels: float32, and bfloat16 under autocast
//   GpuOperations (gpu_operations.h)   our own kernels, called through a table: float32, bfloat16, float16
//
// To add an operation:
//
//   1. its declaration here, with its definition in the comment, and in code in operations.cpp.
//   2. on a CPU: the override, declared in cpu_operations.h, in NAME_cpu.cpp. Its kernels: cpu/kernels.h says how.
//      Its cases in tests/ops/cpu_operations_test.cpp, which compare it with the definition.
//   3. on a GPU: the override, declared in gpu_operations.h, in NAME_gpu.cpp. Its kernels: gpu/kernel_table.h says how.
//      Its cases in tests/gpu/operations_test.cpp.
//
// x: [B,C,H,W] unless stated otherwise. Results are equal up to rounding, gradients included, between back ends; their
// memory order and, under autocast, their type may differ. Objects are stateless: threads may share them.
#pragma once

#include <cstdint>
#include <memory>

#include "stl/runtime/torch.h"

namespace stl::ops {

using torch::Tensor;

// Arguments for one call: they refer to a layer's tensors.

struct Convolution {
    const Tensor& weight;  ///< [O,C/groups,K,K]
    const Tensor& bias;    ///< [O]
    std::int64_t stride = 1;
    std::int64_t padding = 0;  ///< on every side
    std::int64_t dilation = 1;
    std::int64_t groups = 1;

    std::int64_t kernel() const { return weight.size(2); }
    /// Depthwise: one filter per channel, larger than 1x1, stride 1, padded so that the size is preserved.
    bool is_depthwise() const;
    /// Pointwise: 1x1 over all channels.
    bool is_pointwise() const;
};

struct GroupNorm {
    std::int64_t groups;
    const Tensor& gamma;  ///< [C], float32
    const Tensor& beta;   ///< [C], float32
    double eps;
};

struct BatchNorm {
    const Tensor& gamma;         ///< [C]
    const Tensor& beta;          ///< [C]
    const Tensor& running_mean;  ///< [C], float32; updated in training
    const Tensor& running_var;   ///< [C], float32, unbiased; updated in training
    double momentum, eps;
    bool training;  ///< uses the batch's statistics, which needs more than one value per channel
};

class Operations {
  public:
    Operations() = default;
    virtual ~Operations() = default;
    Operations(const Operations&) = delete;
    Operations& operator=(const Operations&) = delete;

    /// convolve(x, convolution) (ops/convolve.h)
    virtual Tensor conv2d(const Tensor& x, const Convolution& convolution) const;
    /// silu(group_norm(y)), y = conv2d(x) or, with `shuffle`, pixel_shuffle(conv2d(x), 2).
    virtual Tensor conv_norm_silu(const Tensor& x, const Convolution& convolution, const GroupNorm& norm,
                                  bool shuffle) const;

    /// x weight^T + bias. x: [...,I]; weight: [O,I]; bias: [O] or undefined.
    virtual Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) const;

    /// x of any shape.
    virtual Tensor gelu(const Tensor& x) const;
    /// gelu(conv2d(x)) of a depthwise convolution.
    virtual Tensor depthwise_gelu(const Tensor& x, const Convolution& depthwise) const;

    virtual Tensor batch_norm(const Tensor& x, const BatchNorm& norm) const;
    /// batch_norm(gelu(x))
    virtual Tensor gelu_batch_norm(const Tensor& x, const BatchNorm& norm) const;
    /// batch_norm(gelu(conv2d(x))) of a depthwise convolution.
    virtual Tensor depthwise_gelu_batch_norm(const Tensor& x, const Convolution& depthwise,
                                             const BatchNorm& norm) const;

    /// x + scale * branch * keep. scale: C values; keep: [B,1,1,1] float32, or undefined for 1 (stochastic depth).
    virtual Tensor residual(const Tensor& x, const Tensor& branch, const Tensor& scale,
                            const Tensor& keep) const;
    /// x * scale + branch, without gradients (what remains of a norm that was folded away). scale: C values.
    virtual Tensor scaled_sum(const Tensor& x, const Tensor& scale, const Tensor& branch) const;

    /// MogaNet's feature decomposition: silu(x + sigma * (x - x.mean({2, 3}))). sigma: [1,C,1,1].
    virtual Tensor decompose_silu(const Tensor& x, const Tensor& sigma) const;
    /// MogaNet's gate: silu(a) * silu(b), for a and b of the same shape.
    virtual Tensor silu_gate(const Tensor& a, const Tensor& b) const;
    /// MogaNet's channel aggregation: h + sigma * (h - gelu(conv2d(h, decompose))), h = gelu(conv2d(x, depthwise)).
    /// decompose: pointwise, to one channel; sigma: [1,C,1,1].
    virtual Tensor channel_aggregation(const Tensor& x, const Convolution& depthwise,
                                       const Convolution& decompose, const Tensor& sigma) const;
    /// PoolFormer's token mixer: avg_pool2d(x, 3, stride 1, padding 1, without the padding in the mean) - x.
    virtual Tensor pool_difference(const Tensor& x) const;

    /// softmax(q k^T / sqrt(C)) v. q, k, v: [B,heads,N,C].
    virtual Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) const;

    // Memory order; values stay as they are.

    /// [B,C,H,W] -> [B,H*W,C]. Back ends make it contiguous, so that sums over tokens are contiguous, too.
    virtual Tensor to_tokens(const Tensor& x) const;
    /// x in the memory order that a chain of pointwise convolutions reads fastest. Plain: x.
    virtual Tensor to_products(const Tensor& x) const;
    /// The result y of a chain that began with to_products(x), in x's own order. Plain: y.
    virtual Tensor from_products(const Tensor& y, const Tensor& x) const;
};

/// The end of channel_aggregation, for a layer with dropout before it: h + sigma * (h - gelu(decomposed)).
Tensor aggregate_channels(const Tensor& h, const Tensor& decomposed, const Tensor& sigma);

/// The plain definitions.
std::shared_ptr<const Operations> plain_operations();
/// The fastest operations for tensors on `device`; on a GPU without our own kernels, the plain ones.
std::shared_ptr<const Operations> fast_operations(torch::Device device);

}  // namespace stl::ops
