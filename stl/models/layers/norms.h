// Normalisation over the channels of each pixel.
//
// x: [B,C,H,W] -> the same. weight, bias: [C]. eps 1e-6, as timm and HorNet have it.
// Source: Ba et al., "Layer Normalization" (2016); Liu et al., "A ConvNet for the 2020s" (CVPR 2022) for this
// use.
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace stl {

class LayerNorm2dImpl : public torch::nn::Module {
  public:
    explicit LayerNorm2dImpl(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);

    static constexpr double eps = 1e-6;
    torch::Tensor weight;
    torch::Tensor bias;
};
TORCH_MODULE(LayerNorm2d);

torch::nn::LayerNorm layer_norm(std::int64_t channels, double eps = 1e-5);
torch::nn::BatchNorm2d batch_norm(std::int64_t channels);

/// [B,C,H,W] -> [B,H*W,C], and back.
torch::Tensor to_tokens(const torch::Tensor& x);
torch::Tensor from_tokens(const torch::Tensor& tokens, std::int64_t height, std::int64_t width);

}  // namespace stl
