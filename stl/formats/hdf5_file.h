// Sequences in HDF5 files: dataset `sequences` [N,T,C,H,W], uint8 or float, chunked by sequence; attributes
// say where it comes from; an optional dataset `split` uint8 [N] beside it marks rows (0 train, 1 validation,
// 2 test).
#pragma once

#include <memory>

#include "stl/formats/sequences.h"

namespace stl {

/// Reading a row touches only its chunk. Datasets of uint8, float32 and float64 are read, through
/// `options.layout` with 3 to 5 axes. Error: no HDF5 file, truncated, no such dataset (the message
/// lists those there are), wrong rank or type, a `split` that doesn't fit.
std::unique_ptr<SequenceReader> open_hdf5(const fs::path& path, const ReadOptions& options);

std::unique_ptr<SequenceWriter> create_hdf5(const fs::path& path, std::int64_t count,
                                            const SequenceShape& shape, const WriteOptions& options);

}  // namespace stl
