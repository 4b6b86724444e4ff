// Convolutions and linear maps. Their tensors are allocated but not drawn: a model's weights are either drawn
// as a whole (layers/init.h) or read from a checkpoint.
//
// Conv2d: [B,in,H,W] -> [B,out,H',W'].  Linear: [...,in] -> [...,out].  Parameters: weight, bias (shapes as
// in PyTorch).
#pragma once

#include <cstdint>

#include "stl/models/layers/layer.h"
#include "stl/runtime/torch.h"

namespace stl {

struct Conv2dOptions {
    std::int64_t in = 1;
    std::int64_t out = 1;
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    std::int64_t dilation = 1;
    std::int64_t groups = 1;
};

class Conv2dImpl : public Layer {
  public:
    explicit Conv2dImpl(const Conv2dOptions& options);
    torch::Tensor forward(const torch::Tensor& x);
    /// As operations take it: for one call.
    ops::Convolution convolution() const;

    Conv2dOptions options;
    torch::Tensor weight;  ///< [out, in / groups, kernel, kernel]
    torch::Tensor bias;    ///< [out]
};
TORCH_MODULE(Conv2d);

class LinearImpl : public Layer {
  public:
    LinearImpl(std::int64_t in, std::int64_t out, bool with_bias = true);
    torch::Tensor forward(const torch::Tensor& x);

    torch::Tensor weight;  ///< [out, in]
    torch::Tensor bias;    ///< [out], or undefined
};
TORCH_MODULE(Linear);

/// 1x1.
Conv2d pointwise(std::int64_t in, std::int64_t out);
/// One filter a channel, at stride 1, padded so that the size stays (odd kernels).
Conv2d depthwise(std::int64_t channels, std::int64_t kernel, std::int64_t dilation = 1);

}  // namespace stl
