// Stored sequences: one interface over all formats (sequence_formats.h), read a few rows at a time.
//
// Rows come out as x: [n,T,C,H,W] float32 in the model's range: uint8 is divided by 255 (a true division), a
// 4-D NPY (the Moving MNIST convention, [T,N,H,W], values 0-255) always is, other floats are taken as they
// are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/external_files.h"
#include "stl/core/json.h"
#include "stl/core/value_range.h"
#include "stl/formats/data_file.h"

namespace stl {

/// The shape of one sequence.
struct SequenceShape {
    std::int64_t frames = 0;
    std::int64_t channels = 0;
    std::int64_t height = 0;
    std::int64_t width = 0;

    std::int64_t frame_elements() const { return channels * height * width; }
    std::int64_t elements() const { return frames * frame_elements(); }
    bool operator==(const SequenceShape&) const = default;
};

/// "20 frames of 1x64x64"
std::string to_string(const SequenceShape& shape);

enum class Split : std::uint8_t { train = 0, validation = 1, test = 2 };
const char* split_name(Split split);

struct SequenceInfo {
    std::int64_t count = 0;
    SequenceShape shape;
    DType dtype = DType::u8;  ///< as stored; float32 where attributes scale what is stored
    double fps = 0;           ///< 0: the file does not say
    /// What the type or the file says of the values as read() gives them; absent: nothing is known.
    std::optional<ValueRange> range{};
    Json attributes;  ///< what the file says of its source and making (an object)
    /// What whoever uses the sequences should know, a line each: a guess about the axes, values that were never
    /// written.
    std::vector<std::string> warnings{};
    std::string slow_at_random{};  ///< why rows take long in random order, a line; empty: they don't
};

/// Reads are const and may come from several threads at once.
class SequenceReader {
  public:
    virtual ~SequenceReader() = default;
    virtual const SequenceInfo& info() const = 0;
    /// Rows [first, first + count) into out (count * shape.elements() floats). Error if out of range.
    virtual void read(std::int64_t first, std::int64_t count, std::span<float> out) const = 0;
    /// The rows that serve `split`: those marked so, or all where the file marks none (none for validation).
    virtual std::vector<std::int64_t> rows(Split split) const = 0;
};

struct ReadOptions {
    std::string layout{};  ///< "" (decided by the rules of docs/files.md), or e.g. "NTCHW", "TNHW", "NTHWC"
    std::string
        dataset{};  ///< name inside an HDF5 or NPZ file; "" means "sequences", or the only one there is
    ExternalFiles external{};  ///< other files that an HDF5 file names
};

/// Error: what was read, what was expected.
std::unique_ptr<SequenceReader> open_sequences(const DataFile& file, const ReadOptions& options = {});

/// Writes sequences in order, in constant memory, as [N,T,C,H,W], in the format of the extension. The file appears
/// under its name only at finish(); without finish() nothing is left. Error: the disk is full, an existing
/// file.
class SequenceWriter {
  public:
    virtual ~SequenceWriter() = default;
    /// `values`: n rows [n,T,C,H,W] of the writer's dtype.
    virtual void append(std::span<const std::uint8_t> values) = 0;
    virtual void append(std::span<const float> values) = 0;
    /// Which split each row belongs to, for all rows, before finish() (SequenceFormat::attributes).
    virtual void set_splits(std::span<const Split> splits);
    /// In the place of WriteOptions::attributes, before finish(): what is known at the end only (SequenceFormat::attributes).
    virtual void set_attributes(const Json& attributes);
    virtual void finish() = 0;
};

/// The number of rows shows only while they are made (SequenceFormat::streams).
constexpr std::int64_t unknown_count = -1;

struct WriteOptions {
    DType dtype = DType::u8;  ///< u8 or f32
    double fps = 0;
    Json attributes{};  ///< where the format has a place for them
    std::string dataset = "sequences";
    int compression = 0;  ///< deflate level, 0-9 (SequenceFormat::compresses)
    /// Or (SequenceFormat::layouts) "TNHW", the Moving MNIST convention (its values 0-255 are the caller's to give), and
    /// "TNHWC", the same in colour.
    std::string layout = "NTCHW";
    bool force = false;  ///< replace an existing file
};

/// `count` rows (or unknown_count) of `shape` will be appended.
std::unique_ptr<SequenceWriter> create_sequences(const DataFile& file, std::int64_t count,
                                                 const SequenceShape& shape, const WriteOptions& options);

}  // namespace stl
