// Uniformer: the first block, and the last, mix by convolution, the ones between by self-attention; each adds
// a depthwise convolution of its input as position embedding.
//
// Blocks: x: [B,C,H',W'] -> the same; in attention blocks C is a multiple of 8 (heads).
// Source: Li et al., "UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning"
// (ICLR 2022).
#pragma once

#include "stl/models/layers/attention.h"
#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/folding.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"

namespace stl {

class UniformerConvBlock : public Block {
  public:
    explicit UniformerConvBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    void fold(const Conv2d& next) override;
    struct Folded {
        Map conv1, fc1;
    };
    Folded folded() const;

    Conv2d pos_embed{nullptr};
    BatchNorm2d norm1{nullptr};
    Conv2d conv1{nullptr}, conv2{nullptr};
    Conv2d attn{nullptr};  ///< depthwise 5x5, between the two
    BatchNorm2d norm2{nullptr};
    ConvMlp mlp{nullptr};

  private:
    bool folded_ = false;
};

class UniformerAttentionBlock : public Block {
  public:
    explicit UniformerAttentionBlock(const BlockOptions& options);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;

    torch::Tensor gamma_1, gamma_2;  ///< [C]
    Conv2d pos_embed{nullptr};
    LayerNorm norm1{nullptr};
    Attention attn{nullptr};
    LayerNorm norm2{nullptr};
    Mlp mlp{nullptr};
};

std::shared_ptr<Translator> make_uniformer(const SimVPOptions& options);
void check_uniformer(const SimVPOptions& options, const std::string& where);

}  // namespace stl
