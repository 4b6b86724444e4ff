// .safetensors: a JSON header that names tensors, then their bytes.
//
// Format: https://github.com/huggingface/safetensors: 8 bytes little-endian header size; the header
// {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {text: text}}; the
// bytes, without gaps, offsets counted from their start.
//
// Files of ours have "stl_digests" among the metadata, which other readers pass over: {"header": "e3069283", "tensors":
// {name: "e3069283"}}, CRC-32C of each tensor's bytes, and of the rest of the header: what every tensor is (not where it
// lies), and the other metadata.
#pragma once

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/file.h"

namespace stl::pickle {

struct SafeTensor {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    std::span<const std::byte> bytes;     ///< row-major, in the map
    std::optional<std::string> digest{};  ///< of the bytes, where the file has one

    /// False: the bytes are not what the digest says.
    bool whole() const;
};

struct SafeTensors {
    /// Error "<path>: ..." if it is not such a file, or its header is damaged. The tensors' bytes are not looked at.
    explicit SafeTensors(const fs::path& path);
    static bool looks_like_one(std::span<const std::byte> start);

    MappedFile file;
    std::vector<SafeTensor> tensors;              ///< in the header's order
    std::map<std::string, std::string> metadata;  ///< without digests
};

struct SafeTensorToWrite {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    /// Hands the row-major bytes to `sink` when their turn comes: only one tensor need be in memory at a
    /// time.
    std::function<void(const std::function<void(std::span<const std::byte>)>& sink)> write;
};
/// Writes to `path` (an AtomicFile's temporary name); messages speak of `shown_as`.
void write_safetensors(const fs::path& path, const std::string& shown_as,
                       const std::vector<SafeTensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace stl::pickle
