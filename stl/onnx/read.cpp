#include <fmt/ranges.h>

#include <protozero/pbf_message.hpp>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/utf8.h"
#include "stl/onnx/fields.h"
#include "stl/onnx/model.h"

namespace stl::onnx {
namespace {

template <class Field>
using Message = protozero::pbf_message<Field>;

/// Of a file that anyone may have written.
template <class Field>
std::string text_of(Message<Field>& message) {
    auto text = message.get_string();
    return is_utf8(text) ? text : printable(text);
}

std::vector<Dimension> read_shape(Message<ShapeField> shape) {
    std::vector<Dimension> sizes;
    while (shape.next(ShapeField::dimension)) {
        Message<DimensionField> message(shape.get_message());
        Dimension dimension;
        while (message.next()) {
            switch (message.tag()) {
                case DimensionField::size:
                    dimension.size = message.get_int64();
                    break;
                case DimensionField::symbol:
                    dimension.symbol = text_of(message);
                    break;
                default:
                    message.skip();
            }
        }
        sizes.push_back(dimension);
    }
    return sizes;
}

void read_type(Message<TypeField> type, Port& port) {
    while (type.next(TypeField::tensor)) {
        Message<TensorTypeField> tensor(type.get_message());
        while (tensor.next()) {
            switch (tensor.tag()) {
                case TensorTypeField::element:
                    port.type = static_cast<Type>(tensor.get_int32());
                    break;
                case TensorTypeField::shape:
                    port.shape = read_shape(tensor.get_message());
                    break;
                default:
                    tensor.skip();
            }
        }
    }
}

Port read_port(Message<PortField> message) {
    Port port;
    while (message.next()) {
        switch (message.tag()) {
            case PortField::name:
                port.name = text_of(message);
                break;
            case PortField::type:
                read_type(message.get_message(), port);
                break;
            default:
                message.skip();
        }
    }
    return port;
}

void read_graph(Message<GraphField> graph, Summary& summary) {
    while (graph.next()) {
        switch (graph.tag()) {
            case GraphField::node: {
                Message<NodeField> node(graph.get_message());
                while (node.next(NodeField::operation)) ++summary.operations[text_of(node)];
                break;
            }
            case GraphField::initializer: {
                Message<TensorField> tensor(graph.get_message());
                ++summary.tensors;
                while (tensor.next(TensorField::bytes)) summary.tensor_bytes += tensor.get_view().size();
                break;
            }
            case GraphField::input:
                summary.inputs.push_back(read_port(graph.get_message()));
                break;
            case GraphField::output:
                summary.outputs.push_back(read_port(graph.get_message()));
                break;
            default:
                graph.skip();
        }
    }
}

void read_opset(Message<OpsetField> message, Summary& summary) {
    std::string domain;
    std::int64_t version = 0;
    while (message.next()) {
        switch (message.tag()) {
            case OpsetField::domain:
                domain = text_of(message);
                break;
            case OpsetField::version:
                version = message.get_int64();
                break;
            default:
                message.skip();
        }
    }
    if (domain.empty() || domain == "ai.onnx") summary.opset = version;
}

void read_entry(Message<EntryField> message, Summary& summary) {
    std::string key, value;
    while (message.next()) {
        switch (message.tag()) {
            case EntryField::key:
                key = text_of(message);
                break;
            case EntryField::value:
                value = text_of(message);
                break;
            default:
                message.skip();
        }
    }
    summary.metadata[key] = value;
}

/// False: without a graph and an opset it is some other protocol buffer.
bool read_model(Message<ModelField> model, Summary& summary) {
    bool has_graph = false;
    while (model.next()) {
        switch (model.tag()) {
            case ModelField::producer_name:
                summary.producer = text_of(model);
                break;
            case ModelField::producer_version:
                summary.producer_version = text_of(model);
                break;
            case ModelField::graph:
                read_graph(model.get_message(), summary);
                has_graph = true;
                break;
            case ModelField::opset_import:
                read_opset(model.get_message(), summary);
                break;
            case ModelField::metadata:
                read_entry(model.get_message(), summary);
                break;
            default:
                model.skip();
        }
    }
    return has_graph && summary.opset > 0;
}

}  // namespace

std::string to_string(const std::vector<Dimension>& shape) {
    std::vector<std::string> sizes;
    for (const auto& dimension : shape)
        sizes.push_back(dimension.symbol.empty() ? std::to_string(dimension.size) : dimension.symbol);
    return fmt::format("[{}]", fmt::join(sizes, ", "));
}

Summary read_summary(const fs::path& path) {
    require_regular_file(path);
    const MappedFile file(path);
    const auto bytes = file.bytes();
    Summary summary;
    std::string problem = "no graph in it";
    try {
        const protozero::data_view view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (read_model(Message<ModelField>(view), summary)) return summary;
    } catch (const protozero::exception& error) {
        problem = error.what();
    }
    fail("{}: not an ONNX file, or a damaged one ({}){}", path.string(), problem, kind_hint(path));
}

}  // namespace stl::onnx
