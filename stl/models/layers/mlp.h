// Two-layer perceptrons: fc1, GELU, fc2, with dropout after each.
#pragma once

#include <cstdint>

#include "stl/models/layers/conv2d.h"
#include "stl/runtime/torch.h"

namespace stl {

/// Over tokens, [...,C] -> [...,C].
class MlpImpl : public Layer {
  public:
    MlpImpl(std::int64_t channels, std::int64_t hidden, double drop);
    torch::Tensor forward(const torch::Tensor& x);

    Linear fc1{nullptr}, fc2{nullptr};
    const double drop;
};
TORCH_MODULE(Mlp);

/// Over pixels, as 1x1 convolutions, [B,C,H,W] -> [B,C,H,W].
class ConvMlpImpl : public Layer {
  public:
    ConvMlpImpl(std::int64_t channels, std::int64_t hidden, double drop);
    torch::Tensor forward(const torch::Tensor& x);

    Conv2d fc1{nullptr}, fc2{nullptr};
    const double drop;
};
TORCH_MODULE(ConvMlp);

/// A depthwise 3x3 convolution of its own name, as MixMlp's checkpoints have it.
class DepthwiseMixImpl : public torch::nn::Module {
  public:
    explicit DepthwiseMixImpl(std::int64_t channels);

    Conv2d dwconv{nullptr};
};
TORCH_MODULE(DepthwiseMix);

/// ConvMlp with a depthwise 3x3 convolution between fc1 and GELU.
/// Source: Guo et al., "Visual Attention Network" (2022), its convolutional feed-forward network.
class MixMlpImpl : public Layer {
  public:
    MixMlpImpl(std::int64_t channels, std::int64_t hidden, double drop);
    torch::Tensor forward(const torch::Tensor& x);

    Conv2d fc1{nullptr};
    DepthwiseMix dwconv{nullptr};
    Conv2d fc2{nullptr};
    const double drop;
};
TORCH_MODULE(MixMlp);

}  // namespace stl
