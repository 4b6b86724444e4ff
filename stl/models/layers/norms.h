// Normalisation with weight and bias. Shapes stay as they are; parameters and buffers are called as in
// PyTorch. They are written here because torch::nn's own cost every file that sees them four seconds to
// compile.
//
//   GroupNorm    x: [B,C,...]   over groups of channels and all positions of a sample; weight, bias: [C]
//   BatchNorm2d  x: [B,C,H,W]   over samples and positions; weight, bias, running_mean, running_var: [C]
//   LayerNorm    x: [...,C]     over the last axis; weight, bias: [C]
//   LayerNorm2d  x: [B,C,H,W]   over the channels of each pixel; eps 1e-6, as timm and HorNet have it
//
// Source: Wu & He, "Group Normalization" (ECCV 2018); Ioffe & Szegedy, "Batch Normalization" (ICML 2015); Ba
// et al., "Layer Normalization" (2016); Liu et al., "A ConvNet for the 2020s" (CVPR 2022) for the last.
#pragma once

#include <cstdint>

#include "stl/models/layers/conv2d.h"
#include "stl/runtime/torch.h"

namespace stl {

class GroupNormImpl : public torch::nn::Module {
  public:
    GroupNormImpl(std::int64_t groups, std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);

    static constexpr double eps = 1e-5;
    std::int64_t groups;
    torch::Tensor weight;
    torch::Tensor bias;
};
TORCH_MODULE(GroupNorm);

/// In training the batch's own statistics, which move the running ones by a tenth; else the running ones.
class BatchNorm2dImpl : public Layer {
  public:
    explicit BatchNorm2dImpl(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);
    /// forward(gelu(x))
    torch::Tensor of_gelu(const torch::Tensor& x);
    /// forward(gelu(depthwise->forward(x)))
    torch::Tensor of_depthwise_gelu(const torch::Tensor& x, const Conv2d& depthwise);

    static constexpr double eps = 1e-5;
    static constexpr double momentum = 0.1;
    torch::Tensor weight;
    torch::Tensor bias;
    torch::Tensor running_mean;
    torch::Tensor running_var;          ///< unbiased
    torch::Tensor num_batches_tracked;  ///< int64

  private:
    /// As operations take it; in training the batch of x counts. Error: one value a channel, which has no variance.
    ops::BatchNorm norm_for(const torch::Tensor& x);
};
TORCH_MODULE(BatchNorm2d);

class LayerNormImpl : public torch::nn::Module {
  public:
    explicit LayerNormImpl(std::int64_t channels, double eps = 1e-5);
    torch::Tensor forward(const torch::Tensor& x);

    double eps;
    torch::Tensor weight;
    torch::Tensor bias;
};
TORCH_MODULE(LayerNorm);

class LayerNorm2dImpl : public torch::nn::Module {
  public:
    explicit LayerNorm2dImpl(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);

    static constexpr double eps = 1e-6;
    torch::Tensor weight;
    torch::Tensor bias;
};
TORCH_MODULE(LayerNorm2d);

/// [B,H*W,C] -> [B,C,H,W]: the way back from ops::Operations::to_tokens().
torch::Tensor from_tokens(const torch::Tensor& tokens, std::int64_t height, std::int64_t width);

}  // namespace stl
