// Swin: x + window attention(LN(x)), then x + mlp(LN(x)). Shifted windows are groups of pixels like the
// others.
#include "stl/models/translators/swin.h"

#include "stl/fast/attention_plan.h"
#include "stl/fast/plans/plans.h"
#include "stl/fast/slots.h"
#include "stl/models/layers/attention.h"

namespace stl::fast {
namespace {

std::vector<std::vector<int>> windows(int height, int width, const SwinWindow& window) {
    const int size = static_cast<int>(window.size), shift = static_cast<int>(window.shift);
    std::vector<std::vector<int>> groups;
    for (int top = 0; top < height; top += size) {
        for (int left = 0; left < width; left += size) {
            auto& group = groups.emplace_back();
            for (int y = top; y < top + size; ++y) {
                for (int x = left; x < left + size; ++x) {
                    group.push_back((y + shift) % height * width + (x + shift) % width);
                }
            }
        }
    }
    return groups;
}

/// The table's rows for each pair of positions: [heads,n,n].
torch::Tensor position_bias(const WindowAttention& attn) {
    const auto n = attn->relative_position_index.size(0);
    return attn->relative_position_bias_table.detach()
        .index_select(0, attn->relative_position_index.view(-1))
        .view({n, n, attention_heads})
        .permute({2, 0, 1});
}

class SwinPlan : public BlockPlan {
  public:
    explicit SwinPlan(const SwinBlock& block)
        : channels_(static_cast<int>(block.options.channels)),
          eps_1_(block.norm1->eps),
          eps_2_(block.norm2->eps) {
        const auto norm1 = Affine::of(block.norm1->weight, block.norm1->bias);
        const auto norm2 = Affine::of(block.norm2->weight, block.norm2->bias);
        attention_ =
            AttentionPlan(Map::of(block.attn->qkv).after(norm1.scale, norm1.shift), Map::of(block.attn->proj),
                          windows(static_cast<int>(block.options.height),
                                  static_cast<int>(block.options.width), block.window),
                          position_bias(block.attn));
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

std::unique_ptr<BlockPlan> plan_swin(const Block& block) {
    return std::make_unique<SwinPlan>(dynamic_cast<const SwinBlock&>(block));
}

}  // namespace stl::fast
