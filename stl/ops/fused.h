// Operations of a training step, fused: one pass over memory where ATen makes several.
//
// Each equals a chain of ATen operations, which is the plain path and named in its comment; the tests compare
// the two, forward and backward. x: [B,C,H,W] float32 on a CPU, or bfloat16 under autocast; on a GPU, where
// our kernels are (ops/gpu_operations.h), also float16. Results are float32 on a CPU unless a function says otherwise.
#pragma once

#include <cstdint>

#include "stl/runtime/torch.h"

namespace stl {

/// A layer that has a fused path beside its plain one. Plain unless told otherwise.
struct HasFusedPath {
    bool fused = false;
};

/// Sets the path of every layer of `model`.
void set_fused(torch::nn::Module& model, bool fused);
/// Weights of convolutions channels last, which is how a GPU's convolutions and our kernels read them. To be
/// done before an optimizer is made; checkpoints are the same as ever.
void set_channels_last(torch::nn::Module& model);
/// Both, as `device` trains fastest: channels last on a GPU alone.
void use_fast_layers(torch::nn::Module& model, torch::Device device);

namespace ops {

/// Whether the functions below take x.
bool takes(const torch::Tensor& x);
/// The same of x's type and device alone.
bool takes_type(const torch::Tensor& x);
/// Whether products of x are in bfloat16 on a CPU's tiles: under autocast, where the processor has them.
bool on_tiles(const torch::Tensor& x);
/// x as the kernels read it.
torch::Tensor widened(const torch::Tensor& x);

/// conv2d(x, weight, bias), one filter a channel, stride 1, padded so that the size stays.
/// weight: [C,1,K,K], K odd and at most largest_kernel; bias: [C].
torch::Tensor depthwise(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                        std::int64_t dilation);
extern const std::int64_t largest_kernel;

/// conv2d(x, weight, bias) for 1x1 filters with few outputs, which a matrix product of that shape does best.
/// weight: [O,C,1,1]; bias: [O]. The result's type is conv2d's.
torch::Tensor few_outputs(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

/// For one call: they refer to the tensors.
struct Convolution {
    const torch::Tensor& weight;   ///< [O,C,K,K]
    const torch::Tensor& bias;     ///< [O]
    std::int64_t stride, padding;  ///< padding: on every side
};
struct Norm {
    std::int64_t groups;
    const torch::Tensor& gamma;  ///< [O], with a shuffle [O/4]; float32
    const torch::Tensor& beta;   ///< likewise
    double eps;
};
/// silu(group_norm(conv2d(x))); with `shuffle`, the norm of pixel_shuffle(conv2d(x), 2). The result has its
/// channels last and conv2d's type.
torch::Tensor conv_norm_silu(const torch::Tensor& x, const Convolution& convolution, const Norm& norm,
                             bool shuffle);

}  // namespace ops
}  // namespace stl
