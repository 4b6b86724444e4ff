#include <torch/csrc/jit/ir/constants.h>

#include "stl/core/error.h"
#include "stl/export/batch.h"
#include "stl/export/operators.h"

namespace stl {

namespace jit = torch::jit;

namespace {

torch::Dtype type_of(const jit::Value& value) {
    return value.type()->expectRef<c10::TensorType>().scalarType().value_or(torch::kFloat32);
}

}  // namespace

void Call::refuse(const std::string& why) const {
    fail("{} at {}: {}", node_.kind().toQualString(), graph.part(), why);
}

void Call::refuse_batch(std::size_t index) const {
    const auto* schema = node_.maybeSchema();
    const auto name = schema != nullptr ? schema->arguments().at(index).name() : std::to_string(index);
    refuse(fmt::format("its '{}' depends on the batch size, which the table has no form for", name));
}

const jit::Value& Call::argument(std::size_t index) const {
    return *node_.inputs().at(index);
}

bool Call::has(std::size_t index) const {
    return index < node_.inputs().size() && !argument(index).mustBeNone();
}

c10::IValue Call::constant(std::size_t index) const {
    const auto value = jit::toIValue(&argument(index));
    if (!value) refuse_batch(index);
    return *value;
}

Name Call::tensor(const jit::Value& value) const {
    if (const auto found = results_.find(&value); found != results_.end()) return found->second.at(0);
    if (const auto attribute = attribute_of(value, module_))
        return graph.constant(attribute->name, attribute->value.toTensor());
    const auto known = jit::toIValue(&value);
    if (known && known->isTensor()) return graph.constant(known->toTensor());
    if (known && known->isScalar()) return graph.constant(known->toScalar().toDouble());
    refuse("an argument that is no tensor");
}

Name Call::tensor(std::size_t index) const {
    return tensor(argument(index));
}

Names Call::tensors(std::size_t index) const {
    const auto& list = argument(index);
    if (const auto found = results_.find(&list); found != results_.end()) return found->second;
    if (list.node()->kind() != c10::prim::ListConstruct) refuse("an argument that is no list of tensors");
    Names names;
    for (const auto* value : list.node()->inputs()) names.push_back(tensor(*value));
    return names;
}

std::int64_t Call::integer(std::size_t index) const {
    return constant(index).toInt();
}

double Call::number(std::size_t index) const {
    return constant(index).toScalar().toDouble();
}

bool Call::flag(std::size_t index) const {
    return constant(index).toBool();
}

std::string Call::text(std::size_t index) const {
    return constant(index).toStringRef();
}

std::vector<std::int64_t> Call::integers(std::size_t index) const {
    const auto* list = argument(index).node();
    if (list->kind() != c10::prim::ListConstruct) {
        const auto value = constant(index);
        return value.isInt() ? std::vector{value.toInt()} : value.toIntVector();
    }
    std::vector<std::int64_t> values;
    for (const auto* value : list->inputs()) {
        const auto known = jit::toIValue(value);
        if (!known) refuse_batch(index);
        values.push_back(known->toInt());
    }
    return values;
}

std::int64_t Call::axis(std::size_t index) const {
    const auto given = integer(index);
    return given < 0 ? given + static_cast<std::int64_t>(sizes(0).size()) : given;
}

std::vector<std::int64_t> Call::sizes(std::size_t index) const {
    const auto& value = argument(index);
    if (const auto attribute = attribute_of(value, module_)) return attribute->value.toTensor().sizes().vec();
    return sizes_of(value);
}

std::int64_t Call::size(std::size_t index, std::int64_t axis) const {
    const auto size = sizes(index).at(static_cast<std::size_t>(axis));
    if (size < 0) refuse(fmt::format("takes apart axis {}, whose size depends on the batch", axis));
    return size;
}

std::vector<std::int64_t> Call::result_sizes() const {
    return sizes_of(*node_.output());
}

torch::Dtype Call::type(std::size_t index) const {
    const auto& value = argument(index);
    if (const auto attribute = attribute_of(value, module_)) return attribute->value.toTensor().scalar_type();
    return type_of(value);
}

torch::Dtype Call::result_type() const {
    return type_of(*node_.output());
}

}  // namespace stl
