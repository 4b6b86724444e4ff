// Operations of a training step on a CPU, fused: one pass over memory where ATen makes several.
//
// Each equals a chain of ATen operations, which is the plain path and named in its comment; the tests compare
// the two, forward and backward. x: [B,C,H,W] float32 on a CPU.
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

namespace fused {

/// Whether the functions below take x: float32, on a CPU, without autocast.
bool takes(const torch::Tensor& x);

/// conv2d(x, weight, bias), one filter a channel, stride 1, padded so that the size stays.
/// weight: [C,1,K,K], K odd and at most largest_kernel; bias: [C].
torch::Tensor depthwise(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                        std::int64_t dilation);
extern const std::int64_t largest_kernel;

/// conv2d(x, weight, bias) for 1x1 filters with few outputs, which a matrix product of that shape does best.
/// weight: [O,C,1,1]; bias: [O].
torch::Tensor few_outputs(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

/// silu(group_norm(x, groups, gamma, beta, eps)); with `shuffle`, of pixel_shuffle(x, 2).
torch::Tensor group_norm_silu(const torch::Tensor& x, std::int64_t groups, const torch::Tensor& gamma,
                              const torch::Tensor& beta, double eps, bool shuffle);

}  // namespace fused
}  // namespace stl
