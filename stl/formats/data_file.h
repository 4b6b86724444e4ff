// "FILE" or "FILE:DATASET": a file, and which of the arrays in it.
#pragma once

#include <string>

#include "stl/core/file.h"

namespace stl {

struct DataFile {
    fs::path path;
    std::string dataset;  ///< "" where none is named

    DataFile() = default;
    /// A path, whatever colons it has.
    DataFile(const fs::path& file) : path(file) {}
    DataFile(fs::path file, std::string name) : path(std::move(file)), dataset(std::move(name)) {}
    /// As a user writes it. A colon divides where what stands before it is a file, or (for a file yet to be made) ends as
    /// files of several arrays do (SequenceFormat::named_arrays); a path that exists as it stands is a path.
    DataFile(const std::string& text);
    DataFile(const char* text) : DataFile(std::string(text)) {}

    bool empty() const { return path.empty(); }
    /// As the user wrote it.
    std::string string() const { return dataset.empty() ? path.string() : path.string() + ":" + dataset; }
};

/// Whether both are of one file that exists, whatever their datasets.
bool same_file(const DataFile& a, const DataFile& b);

}  // namespace stl
