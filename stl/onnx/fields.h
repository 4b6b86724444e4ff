// The numbers of onnx.proto's fields, by message.
#pragma once

#include <cstdint>

namespace stl::onnx {

enum class ModelField : std::uint32_t {
    ir_version = 1,
    producer_name = 2,
    producer_version = 3,
    graph = 7,
    opset_import = 8,
    metadata = 14
};
enum class OpsetField : std::uint32_t { domain = 1, version = 2 };
enum class EntryField : std::uint32_t { key = 1, value = 2 };
enum class GraphField : std::uint32_t { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
enum class NodeField : std::uint32_t { input = 1, output = 2, name = 3, operation = 4, attribute = 5 };
enum class AttributeField : std::uint32_t {
    name = 1,
    number = 2,
    integer = 3,
    text = 4,
    integers = 8,
    type = 20
};
enum class TensorField : std::uint32_t { dimension = 1, type = 2, name = 8, bytes = 9 };
enum class PortField : std::uint32_t { name = 1, type = 2 };
enum class TypeField : std::uint32_t { tensor = 1 };
enum class TensorTypeField : std::uint32_t { element = 1, shape = 2 };
enum class ShapeField : std::uint32_t { dimension = 1 };
enum class DimensionField : std::uint32_t { size = 1, symbol = 2 };

}  // namespace stl::onnx
