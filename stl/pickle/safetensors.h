// .safetensors: a JSON header that names tensors, then their bytes.
//
// Format: https://github.com/huggingface/safetensors: 8 bytes little-endian header size; the header
// {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {text: text}}; the
// bytes, without gaps, offsets counted from their start.
#pragma once

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/file.h"

namespace stl::pickle {

struct SafeTensor {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    std::span<const std::byte> bytes;  ///< row-major, in the map
};

struct SafeTensors {
    /// Error "<path>: ..." if it is not such a file, or damaged.
    explicit SafeTensors(const fs::path& path);
    static bool looks_like_one(std::span<const std::byte> start);

    MappedFile file;
    std::vector<SafeTensor> tensors;  ///< in the header's order
    std::map<std::string, std::string> metadata;
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
