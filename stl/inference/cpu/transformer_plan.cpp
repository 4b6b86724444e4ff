#include "stl/inference/cpu/transformer_plan.h"

#include "stl/inference/cpu/slots.h"

namespace stl::inference {

TransformerPlan::TransformerPlan(const TransformerParts& parts, const Planning& planning)
    : channels_(static_cast<int>(parts.norm1->weight.numel())),
      eps_1_(parts.norm1->eps),
      eps_2_(parts.norm2->eps),
      attention_(parts.qkv.after(Affine::of(parts.norm1)), parts.proj, parts.groups, parts.bias, planning),
      mlp_(parts.fc1.after(Affine::of(parts.norm2)), parts.fc2, planning) {}

void TransformerPlan::run(const Frame& frame, Pixels x) const {
    const auto normal = frame.workspace.pixels(slot::a, frame.rows(), channels_, mlp_.precision());
    normalise(frame, x, normal, channels_, eps_1_);
    attention_.run(frame, normal, x);
    normalise(frame, x, normal, channels_, eps_2_);
    mlp_.run(frame, normal, x);
}

}  // namespace stl::inference
