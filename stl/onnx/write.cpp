#include <array>
#include <fstream>
#include <protozero/pbf_builder.hpp>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/version.h"
#include "stl/onnx/fields.h"
#include "stl/onnx/model.h"

namespace stl::onnx {
namespace {

template <class Field>
using Message = protozero::pbf_builder<Field>;

/// The version of the file format that goes with an opset.
std::int64_t ir_version(int opset) {
    constexpr std::array versions{8, 8, 9, 9, 10};  // of opsets 17 to 21
    return versions.at(static_cast<std::size_t>(opset - 17));
}

template <class Parent, class Field>
void add_port(Message<Parent>& parent, Field field, const Port& port) {
    Message<PortField> message(parent, field);
    message.add_string(PortField::name, port.name);
    Message<TypeField> type(message, PortField::type);
    Message<TensorTypeField> tensor(type, TypeField::tensor);
    tensor.add_int32(TensorTypeField::element, static_cast<std::int32_t>(port.type));
    Message<ShapeField> shape(tensor, TensorTypeField::shape);
    for (const auto& dimension : port.shape) {
        Message<DimensionField> size(shape, ShapeField::dimension);
        if (dimension.symbol.empty()) {
            size.add_int64(DimensionField::size, dimension.size);
        } else {
            size.add_string(DimensionField::symbol, dimension.symbol);
        }
    }
}

/// AttributeProto.AttributeType
enum class AttributeType : std::int32_t { number = 1, integer = 2, text = 3, integers = 7 };

struct AttributeWriter {
    Message<AttributeField>& message;

    void operator()(std::int64_t value) const {
        message.add_int64(AttributeField::integer, value);
        set(AttributeType::integer);
    }
    void operator()(float value) const {
        message.add_float(AttributeField::number, value);
        set(AttributeType::number);
    }
    void operator()(const std::string& value) const {
        message.add_string(AttributeField::text, value);
        set(AttributeType::text);
    }
    void operator()(const std::vector<std::int64_t>& values) const {
        for (const auto value : values) message.add_int64(AttributeField::integers, value);
        set(AttributeType::integers);
    }

  private:
    void set(AttributeType type) const {
        message.add_enum(AttributeField::type, static_cast<std::int32_t>(type));
    }
};

void add_node(Message<GraphField>& graph, const Node& node) {
    Message<NodeField> message(graph, GraphField::node);
    for (const auto& name : node.inputs) message.add_string(NodeField::input, name);
    for (const auto& name : node.outputs) message.add_string(NodeField::output, name);
    message.add_string(NodeField::name, node.name);
    message.add_string(NodeField::operation, node.operation);
    for (const auto& [name, value] : node.attributes) {
        Message<AttributeField> attribute(message, NodeField::attribute);
        attribute.add_string(AttributeField::name, name);
        std::visit(AttributeWriter{attribute}, value);
    }
}

void add_tensor(Message<GraphField>& graph, const Tensor& tensor) {
    Message<TensorField> message(graph, GraphField::initializer);
    for (const auto size : tensor.shape) message.add_int64(TensorField::dimension, size);
    message.add_int32(TensorField::type, static_cast<std::int32_t>(tensor.type));
    message.add_string(TensorField::name, tensor.name);
    message.add_bytes(TensorField::bytes, reinterpret_cast<const char*>(tensor.bytes.data()),
                      tensor.bytes.size());
}

void add_graph(Message<ModelField>& file, const Model& model) {
    Message<GraphField> graph(file, ModelField::graph);
    graph.add_string(GraphField::name, "stl");
    for (const auto& node : model.nodes) add_node(graph, node);
    for (const auto& tensor : model.tensors) add_tensor(graph, tensor);
    for (const auto& port : model.inputs) add_port(graph, GraphField::input, port);
    for (const auto& port : model.outputs) add_port(graph, GraphField::output, port);
}

std::string encoded(const Model& model, std::uint64_t expected_bytes) {
    std::string bytes;
    bytes.reserve(expected_bytes);
    Message<ModelField> file(bytes);
    file.add_int64(ModelField::ir_version, ir_version(model.opset));
    file.add_string(ModelField::producer_name, "stl");
    file.add_string(ModelField::producer_version, version());
    add_graph(file, model);
    {
        Message<OpsetField> opset(file, ModelField::opset_import);
        opset.add_string(OpsetField::domain, "");
        opset.add_int64(OpsetField::version, model.opset);
    }
    for (const auto& [key, value] : model.metadata) {
        Message<EntryField> entry(file, ModelField::metadata);
        entry.add_string(EntryField::key, key);
        entry.add_string(EntryField::value, value);
    }
    return bytes;
}

}  // namespace

void write_model(const fs::path& path, const Model& model, bool replace) {
    constexpr std::uint64_t most_bytes = (std::uint64_t{1} << 31) - 1;
    constexpr std::uint64_t for_the_graph = 16 << 20;  // of which a few hundred KiB are used
    std::uint64_t bytes = for_the_graph;
    for (const auto& tensor : model.tensors) bytes += tensor.bytes.size();
    if (bytes > most_bytes) {
        fail(
            "{}: {} of weights do not fit an ONNX file, which ends at 2 GiB; write a .pt, or halve them "
            "(--half)",
            path.string(), bytes_text(bytes - for_the_graph));
    }
    require_memory(bytes, path.string());
    AtomicFile file(path, replace);
    std::ofstream out(file.temporary(), std::ios::binary);
    out << encoded(model, bytes) << std::flush;
    if (!out) fail("{}: cannot be written", path.string());
    out.close();
    file.commit();
}

}  // namespace stl::onnx
