// PoolFormer: 3x3 averages over positions, a perceptron over channels.
//
// Block: x: [B,C,H',W'] -> the same. y = GN(x): x + s1 * (mean of y's 3x3 neighbours within the frame - y),
// then x + s2 * mlp(GN(x)); GN has one group. Source: Yu et al., "MetaFormer Is Actually What You Need for
// Vision" (CVPR 2022).
#pragma once

#include "stl/models/layers/folding.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class PoolFormerBlock : public Block {
  public:
    explicit PoolFormerBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    FoldedMlp folded() const { return fold_mlp(norm2, mlp, layer_scale_2); }

    torch::Tensor layer_scale_1, layer_scale_2;  ///< [C]
    GroupNorm norm1{nullptr}, norm2{nullptr};
    ConvMlp mlp{nullptr};
};

}  // namespace stl
