#include "stl/models/complexity.h"

#include <fmt/format.h>

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/norms.h"

namespace stl {
namespace {

constexpr std::int64_t norm_macs = 5;
constexpr std::int64_t folded_norm_macs = 2;  // BatchNorm in evaluation: a scale and a shift

struct Leaf {
    const char* operation;
    std::int64_t macs = 0;
    std::int64_t outputs = 0;
};

Leaf norm_leaf(const char* operation, std::int64_t channels, std::int64_t positions,
               std::int64_t each = norm_macs) {
    return {operation, each * channels * positions, channels * positions};
}

/// What a layer with weights of its own does at `positions`; no operation for a module that only holds
/// others.
Leaf leaf_of(const torch::nn::Module& module, std::int64_t positions, Counting counting) {
    if (const auto* conv = module.as<Conv2d>()) {
        return {"conv", conv->weight.numel() * positions, conv->options.out * positions};
    }
    if (const auto* linear = module.as<Linear>()) {
        return {"linear", linear->weight.numel() * positions, linear->weight.size(0) * positions};
    }
    if (const auto* norm = module.as<BatchNorm2d>()) {
        return norm_leaf("batch_norm", norm->weight.numel(), positions,
                         counting == Counting::training ? norm_macs : folded_norm_macs);
    }
    if (const auto* norm = module.as<GroupNorm>()) {
        return norm_leaf("group_norm", norm->weight.numel(), positions);
    }
    if (const auto* norm = module.as<LayerNorm>()) {
        return norm_leaf("layer_norm", norm->weight.numel(), positions);
    }
    if (const auto* norm = module.as<LayerNorm2d>())
        return norm_leaf("layer_norm", norm->weight.numel(), positions);
    return {""};
}

void add(LayerCost& parent, LayerCost child) {
    parent.macs += child.macs;
    parent.activations += child.activations;
    parent.parameters += child.parameters;
    parent.children.push_back(std::move(child));
}

void add_operation(LayerCost& parent, const char* operation, std::int64_t macs) {
    if (macs == 0) return;
    add(parent, {.name = fmt::format("({})", operation), .operation = operation, .macs = macs});
}

LayerCost cost_of(const torch::nn::Module& module, const std::string& name, std::int64_t positions,
                  Counting counting) {
    const auto leaf = leaf_of(module, positions, counting);
    LayerCost cost{.name = name, .operation = leaf.operation, .macs = leaf.macs, .activations = leaf.outputs};
    for (const auto& parameter : module.parameters(/*recurse=*/false)) cost.parameters += parameter.numel();

    const auto* rule = dynamic_cast<const CostRule*>(&module);
    for (const auto& child : module.named_children()) {
        const auto at = rule ? rule->child_positions(child.key(), positions) : positions;
        add(cost, cost_of(*child.value(), child.key(), at, counting));
    }
    if (rule != nullptr) {
        add_operation(cost, "matmul", rule->matmul_macs(positions));
        add_operation(cost, "adaptive_avg_pool2d", rule->pooled_elements(positions));
    }
    return cost;
}

void collect(const LayerCost& cost, std::map<std::string, std::int64_t>& macs) {
    if (!cost.operation.empty() && cost.macs != 0) macs[cost.operation] += cost.macs;
    for (const auto& child : cost.children) collect(child, macs);
}

void append_rows(const LayerCost& cost, const std::string& path, int depth, std::vector<LayerRow>& rows) {
    rows.push_back({path, &cost});
    if (depth <= 0) return;
    for (const auto& child : cost.children) {
        append_rows(child, path.empty() ? child.name : path + "." + child.name, depth - 1, rows);
    }
}

}  // namespace

LayerCost model_cost(const SimVPImpl& model, Counting counting) {
    const auto& o = model.options();
    const auto pixels = o.translator_height() * o.translator_width() * o.stride() * o.stride();
    return cost_of(model, "", o.frames * pixels, counting);
}

std::map<std::string, std::int64_t> macs_by_operation(const LayerCost& cost) {
    std::map<std::string, std::int64_t> macs;
    collect(cost, macs);
    return macs;
}

std::vector<LayerRow> layer_rows(const LayerCost& cost, int depth) {
    std::vector<LayerRow> rows;
    append_rows(cost, "", depth, rows);
    return rows;
}

}  // namespace stl
