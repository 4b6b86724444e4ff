// UniFormer: x + pos_embed(x), then convolutions or attention, then the perceptron. The position's shortcut
// is one more on its filters' middle.
#include "stl/models/translators/uniformer.h"

#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"
#include "stl/inference/cpu/transformer_plan.h"

namespace stl::inference {
namespace {

DepthwisePlan with_input(const Conv2d& convolution) {
    return {convolution, cpu::in_order(static_cast<int>(convolution->options.out)), /*add_input=*/true};
}

/// x + conv2(dw5x5(conv1(BN(x)))), x + mlp(BN(x))
class ConvBlockPlan : public BlockPlan {
  public:
    ConvBlockPlan(const UniformerConvBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)),
          position_(with_input(block.pos_embed)),
          mix_(block.attn),
          conv2_(Map::of(block.conv2), planning) {
        const auto maps = block.folded();
        conv1_ = PointwisePlan(maps.conv1, planning);
        mlp_ = MlpPlan(maps.fc1, Map::of(block.mlp->fc2), planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        const auto y = frame.workspace.pixels(slot::a, frame.rows(), channels_, conv2_.precision());
        position_.run(frame, x, x);
        conv1_.run(frame, x, y, {}, [&](int column, int columns, Pixels part) {
            mix_.run(frame, part, part, column, columns);
            keep(frame, part, y, column, columns);
        });
        conv2_.run(frame, y, x, {x});
        mlp_.run(frame, x, x);
    }

  private:
    int channels_;
    DepthwisePlan position_, mix_;
    PointwisePlan conv1_, conv2_;
    MlpPlan mlp_;
};

/// x + gamma_1 * attention(LN(x)), x + gamma_2 * mlp(LN(x))
class AttentionBlockPlan : public BlockPlan {
  public:
    AttentionBlockPlan(const UniformerAttentionBlock& block, const Planning& planning)
        : position_(with_input(block.pos_embed)),
          rest_(TransformerParts{.norm1 = block.norm1,
                                 .qkv = Map::of(block.attn->qkv),
                                 .proj = Map::of(block.attn->proj).times(block.gamma_1),
                                 .groups = whole_frame(
                                     static_cast<int>(block.options.height * block.options.width)),
                                 .norm2 = block.norm2,
                                 .fc1 = Map::of(block.mlp->fc1),
                                 .fc2 = Map::of(block.mlp->fc2).times(block.gamma_2)},
                planning) {}

    void run(const Frame& frame, Pixels x) const override {
        position_.run(frame, x, x);
        rest_.run(frame, x);
    }

  private:
    DepthwisePlan position_;
    TransformerPlan rest_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_uniformer(const Block& block, const Planning& planning) {
    if (const auto* attending = dynamic_cast<const UniformerAttentionBlock*>(&block)) {
        return std::make_unique<AttentionBlockPlan>(*attending, planning);
    }
    return std::make_unique<ConvBlockPlan>(dynamic_cast<const UniformerConvBlock&>(block), planning);
}

}  // namespace stl::inference
