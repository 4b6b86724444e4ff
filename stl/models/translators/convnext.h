// ConvNeXt: a depthwise 7x7 convolution, LayerNorm over channels, a perceptron over channels, one residual.
//
// Block: x: [B,C,H',W'] -> the same. x + gamma * mlp(LN(conv_dw(x))). `drop` is not used, as in the
// reference. Source: Liu et al., "A ConvNet for the 2020s" (CVPR 2022).
#pragma once

#include "stl/models/layers/folding.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class ConvNextBlock : public Block {
  public:
    explicit ConvNextBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    FoldedMlp folded() const { return fold_mlp(norm, mlp, gamma); }

    torch::Tensor gamma;  ///< [C]
    Conv2d conv_dw{nullptr};
    LayerNorm2d norm{nullptr};
    ConvMlp mlp{nullptr};
};

}  // namespace stl
