#include "stl/export/batch.h"

#include <torch/csrc/jit/ir/constants.h>

#include "stl/core/error.h"

namespace stl {
namespace {

namespace jit = torch::jit;

[[noreturn]] void differ(const jit::Node& node, const char* in_what) {
    fail("the network cannot be exported for every batch size: from one to another, {} differs in its {}",
         node.kind().toDisplayString(), in_what);
}

/// The batch size as a value of the graph; made at its first use.
class Batch {
  public:
    Batch(jit::Graph& graph, jit::Value* frames) : graph_(graph), frames_(frames) {}

    std::int64_t traced() const { return *frames_->type()->expectRef<c10::TensorType>().sizes()[0]; }

    /// slope * batch + offset, computed before `node`.
    jit::Value* expression(jit::Node* node, std::int64_t slope, std::int64_t offset) {
        const jit::WithInsertPoint here(node);
        auto* value = graph_.insert(c10::aten::mul, {size(), slope});
        return offset == 0 ? value : graph_.insert(c10::aten::add, {value, offset});
    }

  private:
    jit::Value* size() {
        if (size_ == nullptr) {
            const jit::WithInsertPoint here(*graph_.nodes().begin());
            size_ = graph_.insert(c10::aten::size, {frames_, 0});
        }
        return size_;
    }

    jit::Graph& graph_;
    jit::Value* frames_;
    jit::Value* size_ = nullptr;
};

bool same(const c10::IValue& a, const c10::IValue& b) {
    if (a.isTensor() && b.isTensor()) return a.toTensor().equal(b.toTensor());
    return a == b;
}

/// Sizes that differ become unknown.
void merge_types(jit::Value& value, const jit::Value& other) {
    const auto type = value.type()->cast<c10::TensorType>();
    const auto other_type = other.type()->cast<c10::TensorType>();
    if (!type || !other_type) return;
    const auto sizes = type->sizes(), other_sizes = other_type->sizes();
    if (!sizes.concrete_sizes() || !other_sizes.concrete_sizes()) return;
    if (sizes.size() != other_sizes.size()) differ(*value.node(), "number of axes");
    std::vector<std::optional<std::int64_t>> known;
    for (std::size_t i = 0; i < *sizes.size(); ++i)
        known.push_back(sizes[i] == other_sizes[i] ? sizes[i] : std::nullopt);
    // Strides would have to be those of the sizes.
    value.setType(c10::TensorType::create(type->scalarType(), type->device(), c10::SymbolicShape(known),
                                          c10::VaryingShape<c10::Stride>(known.size()), false));
}

void require_same_wiring(const jit::Node& node, const jit::Node& other) {
    if (node.kind() != other.kind()) differ(node, "kind");
    if (node.inputs().size() != other.inputs().size() || node.outputs().size() != other.outputs().size())
        differ(node, "inputs or outputs");
}

}  // namespace

void free_batch(jit::Graph& graph, const jit::Graph& other, jit::Value* frames) {
    Batch batch(graph, frames);
    const auto traced = batch.traced();
    auto place = other.nodes().begin();
    // Not by iterator: nodes are put in and taken out.
    const std::vector<jit::Node*> nodes(graph.nodes().begin(), graph.nodes().end());
    for (auto* node : nodes) {
        if (place == other.nodes().end()) differ(*node, "place");
        const auto& twin = **place;
        require_same_wiring(*node, twin);
        ++place;
        for (std::size_t i = 0; i < node->outputs().size(); ++i)
            merge_types(*node->outputs()[i], *twin.outputs()[i]);
        if (node->kind() != c10::prim::Constant) continue;
        const auto value = jit::toIValue(node->output()), other_value = jit::toIValue(twin.output());
        if (same(*value, *other_value)) continue;
        if (!value->isInt() || !other_value->isInt()) differ(*node, "value");
        const auto slope = other_value->toInt() - value->toInt();
        node->output()->replaceAllUsesWith(batch.expression(node, slope, value->toInt() - slope * traced));
        node->destroy();
    }
    if (place != other.nodes().end()) differ(**place, "place");
    for (std::size_t i = 0; i < graph.inputs().size(); ++i)
        merge_types(*graph.inputs()[i], *other.inputs()[i]);
}

std::vector<std::int64_t> sizes_of(const jit::Value& value) {
    std::vector<std::int64_t> sizes;
    const auto type = value.type()->cast<c10::TensorType>();
    const auto known = type ? type->sizes() : c10::VaryingShape<std::int64_t>();
    if (!known.size())
        fail("the trace lacks the sizes of a tensor of {}", value.node()->kind().toDisplayString());
    for (std::size_t i = 0; i < *known.size(); ++i) sizes.push_back(known[i].value_or(-1));
    return sizes;
}

}  // namespace stl
