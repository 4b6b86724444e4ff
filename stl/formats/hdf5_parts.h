// What all readers and writers of HDF5 sequences share. For the files of this folder alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stl/formats/hdf5_chunks.h"
#include "stl/formats/hdf5_handle.h"
#include "stl/formats/hdf5_input.h"
#include "stl/formats/packing.h"
#include "stl/formats/sequences.h"

namespace stl::hdf5 {

/// Blocks of one dataset, converted to a type of the memory. Thread-safe; the dataset must outlive it.
class BlockReader {
  public:
    /// `files`: what the values lie in.
    BlockReader(hid_t dataset, FileSizes files, std::string where);
    /// The block [start, start + size), dense, as values of `type` (H5T_NATIVE_...). Error: damaged, a file that
    /// was cut short after it was opened.
    void read(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type, void* out) const;

    /// ChunkReader::slow_at_random() of the dataset.
    std::string slow_at_random() const;

  private:
    void read_plain(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type,
                    void* out) const;
    void read_packed(std::span<const hsize_t> start, std::span<const hsize_t> size, hid_t type,
                     void* out) const;

    hid_t dataset_;
    FileSizes files_;
    std::string where_;
    std::unique_ptr<ChunkReader> chunks_;  ///< null: H5Dread does it
};

/// A new file with a dataset that is written row by row, a row being what an index of the first axis names.
class RowWriter {
  public:
    struct Layout {
        std::string dataset;                 ///< "group/name" makes the group too
        DType dtype = DType::u8;             ///< or f32
        std::int64_t count = unknown_count;  ///< rows; unknown_count: it grows
        Shape row;                           ///< without the first axis
        Shape chunk;                         ///< with it
        int compression = 0;                 ///< deflate level
    };
    /// `where` stands in messages. Error: file or dataset cannot be made.
    RowWriter(const fs::path& file, Layout layout, std::string where);
    ~RowWriter();
    RowWriter(const RowWriter&) = delete;
    RowWriter& operator=(const RowWriter&) = delete;

    /// Dense rows of the layout's type. Error: the disk is full.
    void append(const void* values, std::int64_t rows);
    std::int64_t rows() const { return rows_; }  ///< written
    hid_t file() const { return file_.get(); }
    hid_t dataset() const { return dataset_.get(); }
    /// The last call. Error: the disk is full.
    void close();

  private:
    std::vector<hsize_t> extent(std::int64_t rows) const;
    /// Rows that are a chunk each, with their checksums, which HDF5 itself computes several times slower.
    void write_chunks(const std::byte* values, std::int64_t rows) const;
    void create_dataset();

    Layout layout_;
    std::string where_;
    Handle file_, dataset_;
    std::int64_t rows_ = 0;
};

/// "...: cannot be written (why; is the disk full?)"
[[noreturn]] void fail_writing(const std::string& where);

/// `fps`, `source`, `mean`, `std`, `range` (or `valid_range`, or `valid_min` and `valid_max`, which `packing` unpacks) and the
/// JSON object `settings`, of the dataset `name` or else of the file, into info.
void read_description(hid_t dataset, InputFile& file, const std::string& name, const Packing& packing,
                      SequenceInfo& info);
/// Of the dataset's own attributes. Error: one is not a number, or not one that can scale.
Packing read_packing(hid_t dataset, const std::string& where);
/// What read_description() reads, of WriteOptions, onto the dataset `name` of `file`. Settings that are too long for an
/// attribute become the dataset `settings` beside it, uint8 [bytes].
void write_description(hid_t dataset, hid_t file, const std::string& name, const WriteOptions& options,
                       const std::string& where);

/// The name of a dataset that stands in the same group as another one.
std::string beside(const std::string& dataset, const std::string& name);

/// A dataset uint8 [count] of marks (Split). Error: another shape or type, marks that are none.
std::vector<std::uint8_t> read_marks(InputFile& file, const std::string& name, std::int64_t count);
void write_marks(hid_t file, const std::string& name, std::span<const std::uint8_t> marks,
                 const std::string& where);

}  // namespace stl::hdf5
