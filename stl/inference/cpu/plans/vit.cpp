// ViT: every pixel attends to the whole frame.
#include "stl/models/translators/vit.h"

#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/transformer_plan.h"

namespace stl::inference {

std::unique_ptr<BlockPlan> plan_vit(const Block& any, const Planning& planning) {
    const auto& block = dynamic_cast<const VitBlock&>(any);
    return std::make_unique<TransformerPlan>(
        TransformerParts{.norm1 = block.norm1,
                         .qkv = Map::of(block.attn->qkv),
                         .proj = Map::of(block.attn->proj),
                         .groups = whole_frame(static_cast<int>(block.options.height * block.options.width)),
                         .norm2 = block.norm2,
                         .fc1 = Map::of(block.mlp->fc1),
                         .fc2 = Map::of(block.mlp->fc2)},
        planning);
}

}  // namespace stl::inference
