// The transformer block of ViT, Swin and UniFormer: x + attention(LN(x)), then x + mlp(LN(x)). The gains and
// shifts of the norms are folded into the maps after them.
#pragma once

#include <vector>

#include "stl/inference/cpu/attention_plan.h"
#include "stl/inference/cpu/block_plan.h"
#include "stl/inference/cpu/layers.h"

namespace stl::inference {

/// The maps may include layer scales. groups, bias: as for AttentionPlan.
struct TransformerParts {
    LayerNorm norm1;
    Map qkv, proj;
    std::vector<std::vector<int>> groups;
    torch::Tensor bias{};
    LayerNorm norm2;
    Map fc1, fc2;
};

class TransformerPlan : public BlockPlan {
  public:
    TransformerPlan(const TransformerParts& parts, const Planning& planning);
    void run(const Frame& frame, Pixels x) const override;

  private:
    int channels_;
    double eps_1_, eps_2_;
    AttentionPlan attention_;
    MlpPlan mlp_;
};

}  // namespace stl::inference
