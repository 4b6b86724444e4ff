// MLP-Mixer: a perceptron over positions, then one over channels.
//
// Block: x: [B,C,H',W'] -> the same, for one frame size: the first perceptron has a weight for every
// position. x + mlp_tokens(LN(x)^T)^T (C/2 hidden), then x + mlp_channels(LN(x)) (mlp_ratio*C hidden), over
// tokens. Source: Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision" (NeurIPS 2021).
#pragma once

#include "stl/models/layers/cost_rule.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class MlpMixerBlock : public Block, public CostRule {
  public:
    explicit MlpMixerBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    std::int64_t child_positions(const std::string& child, std::int64_t positions) const override;

    LayerNorm norm1{nullptr};
    Mlp mlp_tokens{nullptr};
    LayerNorm norm2{nullptr};
    Mlp mlp_channels{nullptr};
};

}  // namespace stl
