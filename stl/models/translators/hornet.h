// HorNet: recursive gated convolution of order 4, a perceptron over channels.
//
// Block: x: [B,C,H',W'] -> the same; C is a multiple of 8. x + gamma1 * gnconv(LN(x)), then
// x + gamma2 * pwconv2(GELU(pwconv1(LN(x)))). `drop` is not used, as in the reference.
//   gnconv: proj_in gives p of C/8 and q of C/8 + C/4 + C/2 + C channels; a depthwise 7x7 convolution of q
//   gives d_0..d_3; p <- p * d_0, then p <- pws_i(p) * d_(i+1) while the width doubles; proj_out.
// Source: Rao et al., "HorNet: Efficient High-Order Spatial Interactions with Recursive Gated Convolutions"
// (2022).
#pragma once

#include <vector>

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/cost_rule.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class GnConvImpl : public torch::nn::Module {
  public:
    explicit GnConvImpl(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);

    static constexpr std::int64_t order = 4;
    const std::vector<std::int64_t> widths;  ///< C/8, C/4, C/2, C
    Conv2d proj_in{nullptr}, dwconv{nullptr}, proj_out{nullptr};
    std::vector<Conv2d> pws;
};
TORCH_MODULE(GnConv);

class HorNetBlock : public Block, public CostRule {
  public:
    explicit HorNetBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    /// fvcore does not see the reference's norm1, which is written out in elementary operations.
    std::int64_t child_positions(const std::string& child, std::int64_t positions) const override;

    torch::Tensor gamma1, gamma2;  ///< [C]
    LayerNorm2d norm1{nullptr};
    GnConv gnconv{nullptr};
    LayerNorm norm2{nullptr};
    Linear pwconv1{nullptr}, pwconv2{nullptr};
};

}  // namespace stl
