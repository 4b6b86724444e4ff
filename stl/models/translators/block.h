// What translators are made of. A translator mixes time and channels at the encoder's resolution; nearly all
// are a stack of equal blocks.
//
// z: [B,T*hid_S,H',W'] -> the same, H' and W' being the (padded) frame's size divided by 2^(N_S/2).
// Source: Tan et al., "OpenSTL" (NeurIPS 2023); the stack follows MetaFormer (Yu et al., CVPR 2022).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/recompute.h"
#include "stl/models/simvp.h"
#include "stl/runtime/torch.h"

namespace stl {

class Translator : public torch::nn::Module {
  public:
    virtual torch::Tensor forward(const torch::Tensor& z) = 0;
    /// Draws every weight (layers/init.h).
    virtual void draw_weights() = 0;
    /// BatchNorms and the scales of the branches behind them go into the weights beside them, in place and
    /// for good (layers/folding.h). In evaluation the results stay the same, up to rounding.
    virtual void fold() {}
};

struct BlockOptions {
    std::int64_t channels = 0;
    std::int64_t height = 0;  ///< H', for the blocks whose weights depend on it
    std::int64_t width = 0;
    double mlp_ratio = 8.0;
    double drop = 0.0;
    double drop_path = 0.0;
    std::int64_t index = 0;       ///< of the block in its stack
    bool keeps_channels = false;  ///< true: no `reduction` follows

    std::int64_t hidden() const {
        return static_cast<std::int64_t>(static_cast<double>(channels) * mlp_ratio);
    }
};

/// x: [B,C,H',W'] -> the same.
class Block : public Layer {
  public:
    explicit Block(const BlockOptions& block) : options(block) {}
    virtual torch::Tensor forward(const torch::Tensor& x) = 0;
    virtual void draw_weights() = 0;
    /// As Translator's. next: the 1x1 convolution that alone reads the result, or null; a norm at the end of
    /// the block goes there.
    virtual void fold(const Conv2d& /*next*/) {}

    const BlockOptions options;

  protected:
    /// x + branch, the branch under stochastic depth.
    torch::Tensor residual(const torch::Tensor& x, const torch::Tensor& branch) const;
    /// The same with scale * branch. scale: one value a channel.
    torch::Tensor residual(const torch::Tensor& x, const torch::Tensor& branch,
                           const torch::Tensor& scale) const;
};

/// A block and, where the stack's width changes, a 1x1 convolution.
class StackedBlockImpl : public torch::nn::Module, public HasRecomputation {
  public:
    StackedBlockImpl(std::shared_ptr<Block> block, std::int64_t out_channels);
    torch::Tensor forward(const torch::Tensor& x);

    std::shared_ptr<Block> block;
    Conv2d reduction{nullptr};  ///< null where the width stays

  private:
    torch::Tensor run(const torch::Tensor& x);
};
TORCH_MODULE(StackedBlock);

/// N_T blocks: the first works on T*hid_S channels, the others on hid_T; the last goes back to T*hid_S.
class BlockStack : public Translator {
  public:
    using MakeBlock = std::shared_ptr<Block> (*)(const BlockOptions&);

    BlockStack(const SimVPOptions& options, MakeBlock make_block);
    torch::Tensor forward(const torch::Tensor& z) override;
    void draw_weights() override;
    void fold() override;

    std::vector<StackedBlock> blocks;
};

/// Each block's options. Stochastic depth: linspace(drop_path_first, drop_path, N_T) in float32, and
/// drop_path itself for the last, as the reference has it.
std::vector<BlockOptions> block_options(const SimVPOptions& options);

/// For the registry's list: a stack of B.
template <class B>
std::shared_ptr<Translator> stack_of(const SimVPOptions& options) {
    return std::make_shared<BlockStack>(options, [](const BlockOptions& block) -> std::shared_ptr<Block> {
        return std::make_shared<B>(block);
    });
}

}  // namespace stl
