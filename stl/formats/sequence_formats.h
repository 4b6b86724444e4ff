// The formats of sequence files, one list. To add one:
//
//   1. <name>_file.h and .cpp: a SequenceReader, and a SequenceWriter where files are to be written.
//   2. its first bytes in first_bytes (core/file_kind.h).
//   3. its include and one line in the list of sequence_formats.cpp.
//   4. a row in the table of formats in docs/files.md, and one in the table of arrays if its axes have rules of their own.
//   5. files of another program in tests/fixtures/sequences, and their values in tests/formats/sequences_test.cpp.
//
// Reading, writing, messages, --help, `stl list`, the tests of writers and the fuzz targets take it from the list.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stl/formats/sequences.h"

namespace stl {

struct SequenceFormat {
    std::string name;
    std::vector<std::string> extensions;          ///< lower case; the first one is the usual one
    std::vector<std::string> other_extensions{};  ///< of other programs' files, found in folders
    std::string_view first_bytes;
    bool is_zip = false;        ///< as checkpoints are: only its name is certain
    bool named_arrays = false;  ///< FILE:DATASET; else a file holds one array
    bool attributes = false;    ///< written with frame rate, attributes and splits
    bool streams = false;       ///< written without the number of sequences known beforehand (unknown_count)
    bool compresses = false;    ///< WriteOptions::compression
    bool layouts = false;       ///< WriteOptions::layout
    std::unique_ptr<SequenceReader> (*open)(const fs::path& path, const ReadOptions& options);
    /// Null: only read.
    std::unique_ptr<SequenceWriter> (*create)(const fs::path& path, std::int64_t count,
                                              const SequenceShape& shape,
                                              const WriteOptions& options) = nullptr;

    bool writes() const { return create != nullptr; }
};

const std::vector<SequenceFormat>& sequence_formats();

/// By the extension alone; null: not the name of a sequence file.
const SequenceFormat* format_of_name(const fs::path& path);
/// By the extension or, where that says nothing, by the first bytes.
const SequenceFormat* format_of_file(const fs::path& path);
/// Whether a file of this name in a folder is one of arrays.
bool is_array_name(const fs::path& path);

/// "read and written; several arrays; ...": what it can do, for people.
std::string abilities(const SequenceFormat& format);

/// ".h5", ".npy", ...: the usual extension of every format of which `which` says so, e.g. &SequenceFormat::streams.
std::vector<std::string> sequence_extensions(const std::function<bool(const SequenceFormat&)>& which =
                                                 [](const SequenceFormat&) { return true; });

}  // namespace stl
