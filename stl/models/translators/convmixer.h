// ConvMixer: a large depthwise convolution over positions, a 1x1 convolution over channels.
//
// Block: x: [B,C,H',W'] -> the same. x + BN(GELU(conv_dw(x))), then BN(GELU(conv_pw(x))), without residual.
// Source: Trockman and Kolter, "Patches Are All You Need?" (TMLR 2023).
#pragma once

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/cost_rule.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class ConvMixerBlock : public Block, public CostRule {
  public:
    explicit ConvMixerBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    /// norm_1 goes into conv_pw, but for a factor in the sum before it; norm_2 into what follows, if that is
    /// no convolution with a border of zeros.
    void fold(const Conv2d& next) override;
    /// fvcore does not know a convolution whose padding is given as "same", as the reference's conv_dw has
    /// it, and leaves it out; so do the published multiply-adds.
    std::int64_t child_positions(const std::string& child, std::int64_t positions) const override;

    Conv2d conv_dw{nullptr};
    BatchNorm2d norm_1{nullptr};
    Conv2d conv_pw{nullptr};
    BatchNorm2d norm_2{nullptr};

  private:
    /// The sum; where norm_1 is folded, short of its shift.
    torch::Tensor mix_pixels(const torch::Tensor& input);

    torch::Tensor scale_1_;  ///< norm_1's, [C]; undefined: not folded
    bool last_folded_ = false;
};

}  // namespace stl
