// Swin: every pixel attends to its window. Shifted windows are groups of pixels like the others.
#include "stl/models/translators/swin.h"

#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/transformer_plan.h"
#include "stl/models/layers/attention.h"

namespace stl::inference {
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

}  // namespace

std::unique_ptr<BlockPlan> plan_swin(const Block& any, const Planning& planning) {
    const auto& block = dynamic_cast<const SwinBlock&>(any);
    return std::make_unique<TransformerPlan>(
        TransformerParts{.norm1 = block.norm1,
                         .qkv = Map::of(block.attn->qkv),
                         .proj = Map::of(block.attn->proj),
                         .groups = windows(static_cast<int>(block.options.height),
                                           static_cast<int>(block.options.width), block.window),
                         .bias = position_bias(block.attn),
                         .norm2 = block.norm2,
                         .fc1 = Map::of(block.mlp->fc1),
                         .fc2 = Map::of(block.mlp->fc2)},
        planning);
}

}  // namespace stl::inference
