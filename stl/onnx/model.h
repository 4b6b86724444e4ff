// ONNX files: a model is written; of a file, what describes it is read.
//
// Format: onnx/onnx.proto (github.com/onnx/onnx), a protocol buffer. Whatever lacks a name here is left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "stl/core/file.h"

namespace stl::onnx {

/// TensorProto.DataType
enum class Type : std::int32_t { float32 = 1, int64 = 7, float16 = 10, bfloat16 = 16 };

struct Dimension {
    std::int64_t size = 0;
    std::string symbol{};  ///< "batch": any size; empty: `size`
    bool operator==(const Dimension&) const = default;
};
/// "[batch, 10, 1, 64, 64]"
std::string to_string(const std::vector<Dimension>& shape);

/// An input or output of a model.
struct Port {
    std::string name;
    Type type = Type::float32;
    std::vector<Dimension> shape;
};

/// A constant. Its bytes are little-endian, in row-major order.
struct Tensor {
    std::string name;
    Type type = Type::float32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner{};  ///< keeps the bytes
};

using AttributeValue = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

struct Node {
    std::string name;
    std::string operation;  ///< of the default domain: "Conv"
    std::vector<std::string> inputs, outputs;
    Attributes attributes{};
};

using Metadata = std::map<std::string, std::string>;

struct Model {
    int opset = 17;  ///< 17 to 21
    std::vector<Port> inputs, outputs;
    std::vector<Tensor> tensors;
    std::vector<Node> nodes;  ///< each after those whose outputs it reads
    Metadata metadata;
};

/// Atomic. Error: larger than the 2 GiB that a protocol buffer may have.
void write_model(const fs::path& path, const Model& model, bool replace = true);

/// What describes a file, whoever wrote it.
struct Summary {
    std::int64_t opset = 0;  ///< of the default domain
    std::string producer, producer_version;
    std::vector<Port> inputs, outputs;
    std::map<std::string, std::int64_t> operations;  ///< how many nodes of each
    std::int64_t tensors = 0;
    std::uint64_t tensor_bytes = 0;
    Metadata metadata;
};

/// Error: not an ONNX file, or a damaged one.
Summary read_summary(const fs::path& path);

}  // namespace stl::onnx
