// The layer of SimVP's encoder and decoder: convolution, GroupNorm over 2 groups, SiLU; at stride 2 to go
// down, with four times the channels and PixelShuffle to go up.
//
// x: [B,in,H,W] -> [B,out,H',W'], H' = H, H/2 (rounded up) or 2H.
// Source: Gao et al., "SimVP" (CVPR 2022); the upsampling as in OpenSTL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/cost_rule.h"
#include "stl/models/layers/norms.h"
#include "stl/models/layers/recompute.h"
#include "stl/runtime/torch.h"

namespace stl {

enum class Sampling { none, down, up };

/// Holds the convolution before a PixelShuffle, named "0" as in the reference's Sequential.
class UpsamplingConvImpl : public torch::nn::Module {
  public:
    explicit UpsamplingConvImpl(Conv2d convolution);

    Conv2d conv{nullptr};  ///< in -> 4 * out
};
TORCH_MODULE(UpsamplingConv);

class BasicConv2dImpl : public Layer, public CostRule {
  public:
    BasicConv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, Sampling sampling);
    torch::Tensor forward(const torch::Tensor& x);
    std::int64_t child_positions(const std::string& child, std::int64_t positions) const override;

    const Sampling sampling;
    Conv2d conv{nullptr};                ///< unless upsampling
    UpsamplingConv upsampling{nullptr};  ///< else; both are named "conv"
    GroupNorm norm{nullptr};
};
TORCH_MODULE(BasicConv2d);

class ConvSCImpl : public torch::nn::Module, public HasRecomputation {
  public:
    ConvSCImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, Sampling sampling);
    torch::Tensor forward(const torch::Tensor& x);

    BasicConv2d conv{nullptr};
};
TORCH_MODULE(ConvSC);

/// Layers one after the other, named "0", "1", ...
class ConvStackImpl : public torch::nn::Module, public CostRule {
  public:
    ConvStackImpl(std::int64_t in, std::int64_t hidden, std::int64_t kernel,
                  const std::vector<Sampling>& samplings);
    std::int64_t child_positions(const std::string& child, std::int64_t positions) const override;

    std::vector<ConvSC> layers;
};
TORCH_MODULE(ConvStack);

}  // namespace stl
