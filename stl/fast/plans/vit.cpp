// ViT: x + attention(LN(x)), then x + mlp(LN(x)).
#include "stl/models/translators/vit.h"

#include "stl/fast/attention_plan.h"
#include "stl/fast/plans/plans.h"
#include "stl/fast/slots.h"

namespace stl::fast {
namespace {

class VitPlan : public BlockPlan {
  public:
    explicit VitPlan(const VitBlock& block)
        : channels_(static_cast<int>(block.options.channels)),
          eps_1_(block.norm1->eps),
          eps_2_(block.norm2->eps) {
        const auto norm1 = Affine::of(block.norm1->weight, block.norm1->bias);
        const auto norm2 = Affine::of(block.norm2->weight, block.norm2->bias);
        attention_ =
            AttentionPlan(Map::of(block.attn->qkv).after(norm1.scale, norm1.shift), Map::of(block.attn->proj),
                          whole_frame(static_cast<int>(block.options.height * block.options.width)), {});
        mlp_ = MlpPlan(Map::of(block.mlp->fc1).after(norm2.scale, norm2.shift), Map::of(block.mlp->fc2));
    }

    void run(const Frame& frame, Pixels x) const override {
        const auto normal = frame.workspace.pixels(slot::a, frame.rows(), channels_);
        normalise(frame, x, normal, channels_, eps_1_);
        attention_.run(frame, normal, x);
        normalise(frame, x, normal, channels_, eps_2_);
        mlp_.run(frame, normal, x);
    }

  private:
    int channels_;
    double eps_1_, eps_2_;
    AttentionPlan attention_;
    MlpPlan mlp_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_vit(const Block& block) {
    return std::make_unique<VitPlan>(dynamic_cast<const VitBlock&>(block));
}

}  // namespace stl::fast
