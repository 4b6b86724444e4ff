#include "stl/export/onnx_graph.h"

#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

#include "stl/core/error.h"
#include "stl/export/batch.h"
#include "stl/export/operators.h"

namespace stl {
namespace {

namespace jit = torch::jit;

onnx::Port port_of(const jit::Value& value, const Name& name) {
    onnx::Port port{.name = name, .type = onnx::Type::float32, .shape = {}};
    for (const auto size : sizes_of(value)) {
        port.shape.push_back(size < 0 ? onnx::Dimension{.size = 0, .symbol = "batch"}
                                      : onnx::Dimension{.size = size});
    }
    return port;
}

/// "hid.enc.0.block.norm1" of "hid.enc.0.block.norm1.weight"
std::string part_of(const std::string& weight) {
    return weight.substr(0, weight.rfind('.'));
}

/// The part of the network that errors name and a viewer shows: that of the weights read last.
void enter_part(OnnxGraph& graph, const jit::Node& node, const jit::Module& module) {
    for (const auto* input : node.inputs()) {
        const auto attribute = attribute_of(*input, module);
        if (attribute && attribute->value.isTensor()) graph.enter(part_of(attribute->name));
    }
}

/// Constants, lists of them, weights, and sizes, which are looked up where they are used.
bool is_argument(const jit::Node& node) {
    const auto kind = node.kind();
    if (kind == c10::prim::Constant || kind == c10::prim::ListConstruct || kind == c10::prim::GetAttr)
        return true;
    return node.outputs().size() == 1 && node.output()->type()->kind() == c10::TypeKind::IntType;
}

void convert(OnnxGraph& graph, const jit::Node& node, const jit::Module& module, Results& results) {
    if (is_argument(node)) return;
    if (node.kind() == c10::prim::ListUnpack) {
        const auto names = results.at(node.input());
        for (std::size_t i = 0; i < node.outputs().size(); ++i) results[node.output(i)] = {names.at(i)};
        return;
    }
    enter_part(graph, node, module);
    const auto* op = find_operator(node.kind().toQualString());
    const Call call(graph, module, results, node);
    if (op == nullptr) call.refuse("the table of ONNX operators (stl/export/operators.cpp) does not have it");
    results[node.output()] = (*op)(call);
}

}  // namespace

onnx::Model to_onnx(const jit::Module& traced, int opset) {
    const auto& trace = *traced.get_method("forward").graph();
    OnnxGraph graph(opset);
    const auto* frames = trace.inputs().at(1);
    const auto* prediction = trace.outputs().at(0);
    graph.add_input(port_of(*frames, "frames"));
    Results results{{frames, {"frames"}}};
    for (const auto* node : trace.nodes()) convert(graph, *node, traced, results);
    graph.add_output(results.at(prediction).at(0), port_of(*prediction, "prediction"));
    return graph.finish();
}

onnx::Type onnx_type(torch::Dtype type) {
    switch (type) {
        case torch::kFloat32:
            return onnx::Type::float32;
        case torch::kInt64:
            return onnx::Type::int64;
        case torch::kFloat16:
            return onnx::Type::float16;
        case torch::kBFloat16:
            return onnx::Type::bfloat16;
        default:
            fail("a tensor of {} cannot be written to ONNX", c10::toString(type));
    }
}

Names OnnxGraph::add(const char* operation, Names inputs, onnx::Attributes attributes, std::size_t count) {
    const auto name = fmt::format("{}/{}_{}", part_, operation, model_.nodes.size());
    Names outputs{name};
    for (std::size_t i = 1; i < count; ++i) outputs.push_back(fmt::format("{}_{}", name, i));
    model_.nodes.push_back({name, operation, std::move(inputs), outputs, std::move(attributes)});
    return outputs;
}

Name OnnxGraph::add(const char* operation, Names inputs, onnx::Attributes attributes) {
    return add(operation, std::move(inputs), std::move(attributes), 1).front();
}

Name OnnxGraph::constant(const Name& name, const torch::Tensor& tensor) {
    if (constants_.contains(name)) return name;
    const auto dense = std::make_shared<torch::Tensor>(tensor.detach().contiguous());
    constants_.emplace(name, *dense);
    model_.tensors.push_back(
        {.name = name,
         .type = onnx_type(dense->scalar_type()),
         .shape = dense->sizes().vec(),
         .bytes = {static_cast<const std::byte*>(dense->const_data_ptr()), dense->nbytes()},
         .owner = dense});
    return name;
}

Name OnnxGraph::constant(const torch::Tensor& tensor) {
    for (const auto& [name, known] : constants_) {
        if (known.is_same(tensor)) return name;
    }
    return constant(fmt::format("constant_{}", unnamed_++), tensor);
}

Name OnnxGraph::constant(const std::vector<std::int64_t>& values) {
    return constant(fmt::format("[{}]", fmt::join(values, ",")), torch::tensor(values, torch::kInt64));
}

Name OnnxGraph::constant(double value) {
    return constant(fmt::format("{}", value), torch::tensor(value, torch::kFloat32));
}

void OnnxGraph::add_output(const Name& name, const onnx::Port& port) {
    for (auto& node : model_.nodes) {
        std::ranges::replace(node.inputs, name, port.name);
        std::ranges::replace(node.outputs, name, port.name);
    }
    model_.outputs.push_back(port);
}

}  // namespace stl
