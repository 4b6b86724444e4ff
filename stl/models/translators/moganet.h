// MogaNet: multi-order gated aggregation over pixels, channel aggregation in the perceptron.
//
// Block: x: [B,C,H',W'] -> the same; C is a multiple of 8.
//   attn(x) = proj_2(SiLU(gate(y)) * SiLU(value(y))) + x
//             y = SiLU(p + sigma * (p - mean over pixels of p)),  p = proj_1(x)
//     value:  a depthwise 5x5 convolution; of its channels 1/8 pass, 3/8 go through a dilated 5x5 and 4/8
//             through a dilated 7x7 convolution; a 1x1 convolution over all
//   mlp(x)  = fc2(h + sigma * (h - GELU(decompose(h)))),  h = GELU(dwconv(fc1(x)))
//
// Source: Li et al., "MogaNet: Multi-order Gated Aggregation Network" (ICLR 2024).
#pragma once

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/cost_rule.h"
#include "stl/models/layers/folding.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class MultiOrderDWConvImpl : public torch::nn::Module {
  public:
    explicit MultiOrderDWConvImpl(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);

    const std::int64_t channels_1, channels_2, channels_0;  ///< 3/8, 4/8 and 1/8 of the channels
    Conv2d DW_conv0{nullptr}, DW_conv1{nullptr}, DW_conv2{nullptr}, PW_conv{nullptr};
};
TORCH_MODULE(MultiOrderDWConv);

class MultiOrderGatedAggregationImpl : public Layer, public CostRule {
  public:
    explicit MultiOrderGatedAggregationImpl(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);
    /// Without the sum.
    torch::Tensor branch(const torch::Tensor& x);
    std::int64_t pooled_elements(std::int64_t positions) const override;

    torch::Tensor sigma;  ///< [1,C,1,1]
    Conv2d proj_1{nullptr}, gate{nullptr};
    MultiOrderDWConv value{nullptr};
    Conv2d proj_2{nullptr};
};
TORCH_MODULE(MultiOrderGatedAggregation);

class ChannelAggregationFFNImpl : public Layer {
  public:
    ChannelAggregationFFNImpl(std::int64_t channels, std::int64_t hidden, double drop);
    torch::Tensor forward(const torch::Tensor& x);

    torch::Tensor sigma;  ///< [1,hidden,1,1]
    Conv2d fc1{nullptr}, dwconv{nullptr}, fc2{nullptr}, decompose{nullptr};
    const double drop;
};
TORCH_MODULE(ChannelAggregationFFN);

class MogaBlock : public Block {
  public:
    explicit MogaBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    void fold(const Conv2d& next) override;
    struct Folded {
        FoldedBranch attention;
        FoldedMlp mlp;
    };
    Folded folded() const;

    torch::Tensor layer_scale_1, layer_scale_2;  ///< [1,C,1,1]
    BatchNorm2d norm1{nullptr};
    MultiOrderGatedAggregation attn{nullptr};
    BatchNorm2d norm2{nullptr};
    ChannelAggregationFFN mlp{nullptr};

  private:
    torch::Tensor shortcut_;  ///< of the folded aggregation, [C]; undefined: not folded
};

}  // namespace stl
