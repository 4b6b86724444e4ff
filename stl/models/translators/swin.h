// Swin: self-attention within windows, which every second block shifts by half a window.
//
// Block: x: [B,C,H',W'] -> the same; C is a multiple of 8 (heads), H' and W' of the window. Attention adds a
// learned bias for each offset between two positions of a window. As in the reference, a shifted window that
// wraps around the frame's edge attends to both sides: the mask that would forbid it is stored with the
// weights, but not used. Source: Liu et al., "Swin Transformer" (ICCV 2021).
#pragma once

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/cost_rule.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

struct SwinWindow {
    std::int64_t size = 0;
    std::int64_t shift = 0;
};

/// 7 where H' is a multiple of it, else H'/16 within 4 and 8; the whole frame (unshifted) where that is no
/// larger.
SwinWindow swin_window(const BlockOptions& options);

/// windows: [n,size*size,C] -> the same.
class WindowAttentionImpl : public torch::nn::Module, public CostRule {
  public:
    WindowAttentionImpl(std::int64_t channels, std::int64_t window, double drop);
    torch::Tensor forward(const torch::Tensor& windows);
    std::int64_t matmul_macs(std::int64_t positions) const override;
    void draw_weights();

    const std::int64_t window;
    const double drop;
    torch::Tensor relative_position_bias_table;  ///< [(2*size-1)^2, heads]
    torch::Tensor relative_position_index;       ///< [size*size, size*size] int64, rows of the table
    Linear qkv{nullptr}, proj{nullptr};
};
TORCH_MODULE(WindowAttention);

class SwinBlock : public Block {
  public:
    explicit SwinBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;

    const SwinWindow window;
    torch::Tensor
        attn_mask;  ///< [windows, size*size, size*size], stored and not used; undefined without shift
    LayerNorm norm1{nullptr};
    WindowAttention attn{nullptr};
    LayerNorm norm2{nullptr};
    Mlp mlp{nullptr};
};

void check_swin(const SimVPOptions& options, const std::string& where);

}  // namespace stl
