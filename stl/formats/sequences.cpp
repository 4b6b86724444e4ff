#include "stl/formats/sequences.h"

#include <fmt/ranges.h>

#include <array>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/formats/sequence_formats.h"

namespace stl {
namespace {

void refuse_name(const SequenceFormat& format, const fs::path& path, const std::string& dataset) {
    if (format.named_arrays || dataset.empty()) return;
    fail("{}: an {} file holds one array, '{}' names one inside a file", path.string(), format.name, dataset);
}

}  // namespace

std::string to_string(const SequenceShape& shape) {
    return fmt::format("{} of {}x{}x{}", counted(shape.frames, "frame"), shape.channels, shape.height,
                       shape.width);
}

const char* split_name(Split split) {
    constexpr std::array names{"train", "validation", "test"};
    return names.at(static_cast<std::size_t>(split));
}

std::unique_ptr<SequenceReader> open_sequences(const DataFile& file, const ReadOptions& options) {
    const auto& path = file.path;
    if (!fs::exists(path)) fail("{}: no such file", path.string());
    if (fs::is_directory(path))
        fail("{}: is a folder, expected an {} file{}", path.string(),
             listed(names_of(sequence_formats()), "or"), kind_hint(path));
    require_regular_file(path);
    auto chosen = options;
    if (!file.dataset.empty()) chosen.dataset = file.dataset;
    if (const auto* format = format_of_file(path)) {
        refuse_name(*format, path, chosen.dataset);
        return format->open(path, chosen);
    }
    refuse_stand_in(path);
    fail("{}: neither {} (by its name or its first bytes){}", path.string(),
         fmt::join(names_of(sequence_formats()), " nor "),
         kind_of_file(path) == FileKind::unknown ? "; stl import converts videos to a sequence file"
                                                 : kind_hint(path));
}

void SequenceWriter::set_splits(std::span<const Split> /*splits*/) {
    fail("splits can be marked only in {} files",
         listed(sequence_extensions(&SequenceFormat::attributes), "and"));
}

void SequenceWriter::set_attributes(const Json& /*attributes*/) {
    fail("attributes can be stored only in {} files",
         listed(sequence_extensions(&SequenceFormat::attributes), "and"));
}

std::unique_ptr<SequenceWriter> create_sequences(const DataFile& file, std::int64_t count,
                                                 const SequenceShape& shape, const WriteOptions& options) {
    const auto& path = file.path;
    if (options.dtype != DType::u8 && options.dtype != DType::f32) {
        fail("{}: cannot write {} values, expected uint8 or float32", file.string(),
             dtype_name(options.dtype));
    }
    if ((count < 1 && count != unknown_count) || shape.elements() < 1)
        fail("{}: nothing to write ({} sequences)", file.string(), count);
    auto chosen = options;
    if (!file.dataset.empty()) chosen.dataset = file.dataset;
    const auto* format = format_of_name(path);
    if (format == nullptr || !format->writes()) {
        std::vector<std::string> expected;
        for (const auto& known : sequence_formats()) {
            if (known.writes())
                expected.insert(expected.end(), known.extensions.begin(), known.extensions.end());
        }
        fail("{}: cannot write this kind of file, expected a name that ends in {}", path.string(),
             listed(expected, "or"));
    }
    refuse_name(*format, path, file.dataset);
    if (count == unknown_count && !format->streams) {
        fail("{}: the number of sequences is not known in advance, so this must be a {} file", path.string(),
             listed(sequence_extensions(&SequenceFormat::streams), "or"));
    }
    return format->create(path, count, shape, chosen);
}

}  // namespace stl
