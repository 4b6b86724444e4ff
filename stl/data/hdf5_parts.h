// What all readers and writers of HDF5 sequences share. For the files of this folder alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stl/data/hdf5_chunks.h"
#include "stl/data/hdf5_handle.h"
#include "stl/data/sequences.h"

namespace stl::hdf5 {

/// Blocks of one dataset, converted to a type of the memory. Thread-safe; the dataset must outlive it.
class BlockReader {
  public:
    BlockReader(hid_t dataset, std::string where);
    /// The block [start, start + size), dense, as values of `type` (H5T_NATIVE_...). Error: damaged.
    void read(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type, void* out) const;

  private:
    void read_packed(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type,
                     void* out) const;

    hid_t dataset_;
    std::string where_;
    std::unique_ptr<ChunkReader> chunks_;  ///< null: H5Dread does it
};

/// `fps`, `source`, `mean`, `std` and the JSON object `settings`, of the dataset or else of the file, into
/// info.
void read_description(hid_t dataset, hid_t file, SequenceInfo& info);
/// The same of WriteOptions, onto the dataset.
void write_description(hid_t dataset, const WriteOptions& options, const std::string& where);

/// A dataset uint8 [count] of marks (Split). Error: another shape or type, marks that are none.
std::vector<std::uint8_t> read_marks(hid_t file, const std::string& name, std::int64_t count,
                                     const std::string& path);
void write_marks(hid_t file, const std::string& name, std::span<const std::uint8_t> marks,
                 const std::string& where);

}  // namespace stl::hdf5
