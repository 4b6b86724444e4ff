// NumPy's NPY files, memory mapped. Format: NumPy Enhancement Proposal 1, versions 1.0 to 3.0.
#pragma once

#include <memory>
#include <optional>

#include "stl/formats/sequences.h"

namespace stl {

struct NpyHeader {
    Shape shape;
    DType dtype = DType::u8;
    bool fortran_order = false;
    std::size_t data_offset = 0;  ///< bytes before the values
};

/// Reads the header of an NPY file's bytes and checks that all values are there. Error: no NPY file,
/// truncated, a type that is none of ours (structured, big-endian, text, ...).
NpyHeader parse_npy(std::span<const std::byte> bytes, const std::string& where);

/// The bytes that numpy.save of NumPy 2 puts before the values (version 1.0, C order).
std::string npy_header(const Shape& shape, DType dtype);

std::unique_ptr<SequenceReader> open_npy(const fs::path& path, const ReadOptions& options);

/// Sequences of an NPY held in `bytes`, a part of `file`. `marks`: the `split` of its rows, may be empty.
std::unique_ptr<SequenceReader> open_npy_bytes(std::shared_ptr<const MappedFile> file,
                                               std::span<const std::byte> bytes,
                                               std::vector<std::uint8_t> marks, const std::string& layout,
                                               const std::string& where);

/// [N,T,C,H,W], or [T,N,H,W] with options.layout "TNHW".
std::unique_ptr<SequenceWriter> create_npy(const fs::path& path, std::int64_t count,
                                           const SequenceShape& shape, const WriteOptions& options);

}  // namespace stl
