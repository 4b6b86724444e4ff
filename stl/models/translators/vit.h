// ViT: self-attention over all positions, then a perceptron; without position embedding.
//
// Block: x: [B,C,H',W'] -> the same; C is a multiple of 8 (heads). x + attn(LN(x)), then x + mlp(LN(x)) over
// tokens. Source: Dosovitskiy et al., "An Image is Worth 16x16 Words" (ICLR 2021).
#pragma once

#include "stl/models/layers/attention.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class VitBlock : public Block {
  public:
    explicit VitBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;

    LayerNorm norm1{nullptr};
    Attention attn{nullptr};
    LayerNorm norm2{nullptr};
    Mlp mlp{nullptr};
};

}  // namespace stl
