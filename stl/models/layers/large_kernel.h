// Large-kernel attention and the block around it, shared by gSTA, VAN and TAU, which differ in the gate
// alone.
//
//   attn(x) = proj_2(gate(GELU(proj_1(x)))) + x
//   gate:   a depthwise 5x5 and a depthwise dilated 7x7 convolution (21x21 pixels seen together), then the
//           member's own
//   block:  x + s1 * attn(BN(x)), then x + s2 * mlp(BN(x)), each branch under stochastic depth
//
// x: [B,C,H,W] -> the same.
// Source: Guo et al., "Visual Attention Network" (2022); Tan et al., "SimVPv2" (2022).
#pragma once

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/folding.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/layers/norms.h"
#include "stl/models/translators/block.h"
#include "stl/runtime/torch.h"

namespace stl {

/// [B,C,H,W] -> the same.
class LargeKernelGate : public torch::nn::Module {
  public:
    /// `outputs`: channels of the last, 1x1, convolution.
    LargeKernelGate(std::int64_t channels, std::int64_t outputs);
    virtual torch::Tensor forward(const torch::Tensor& x) = 0;

    Conv2d conv0{nullptr}, conv_spatial{nullptr}, conv1{nullptr};

  protected:
    /// The three convolutions.
    torch::Tensor context(const torch::Tensor& x) {
        return conv1->forward(conv_spatial->forward(conv0->forward(x)));
    }
};

class LargeKernelAttentionImpl : public Layer {
  public:
    LargeKernelAttentionImpl(std::int64_t channels, std::shared_ptr<LargeKernelGate> gate);
    torch::Tensor forward(const torch::Tensor& x);
    /// Without the sum.
    torch::Tensor branch(const torch::Tensor& x);

    Conv2d proj_1{nullptr};
    std::shared_ptr<LargeKernelGate> spatial_gating_unit;
    Conv2d proj_2{nullptr};
};
TORCH_MODULE(LargeKernelAttention);

class LargeKernelBlock : public Block {
  public:
    LargeKernelBlock(const BlockOptions& options, std::shared_ptr<LargeKernelGate> gate);
    torch::Tensor forward(const torch::Tensor& x) override;
    void draw_weights() override;
    void fold(const Conv2d& next) override;
    struct Folded {
        FoldedBranch attention;
        FoldedMlp mlp;
    };
    Folded folded() const;

    torch::Tensor layer_scale_1, layer_scale_2;  ///< [C]
    BatchNorm2d norm1{nullptr};
    LargeKernelAttention attn{nullptr};
    BatchNorm2d norm2{nullptr};
    MixMlp mlp{nullptr};

  private:
    torch::Tensor shortcut_;  ///< of the folded attention, [C]; undefined: not folded
};

}  // namespace stl
