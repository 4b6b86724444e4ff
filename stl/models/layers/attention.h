// Multi-head self-attention over all tokens.
//
// x: [B,N,C] -> [B,N,C]; softmax(q k^T / sqrt(C/heads)) v for each head, then a linear map.
// Source: Vaswani et al. (NeurIPS 2017); Dosovitskiy et al., "ViT" (ICLR 2021).
#pragma once

#include <cstdint>

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/cost_rule.h"
#include "stl/runtime/torch.h"

namespace stl {

/// Heads of every attention block of the family.
inline constexpr std::int64_t attention_heads = 8;

class AttentionImpl : public Layer, public CostRule {
  public:
    /// `drop`: of the output. `channels` is a multiple of attention_heads.
    AttentionImpl(std::int64_t channels, double drop);
    torch::Tensor forward(const torch::Tensor& x);
    std::int64_t matmul_macs(std::int64_t positions) const override;

    Linear qkv{nullptr}, proj{nullptr};
    const double drop;
};
TORCH_MODULE(Attention);

}  // namespace stl
