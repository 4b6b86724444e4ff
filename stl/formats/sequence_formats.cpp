#include "stl/formats/sequence_formats.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/formats/hdf5_file.h"
#include "stl/formats/npy_file.h"
#include "stl/formats/npz_file.h"

namespace stl {

const std::vector<SequenceFormat>& sequence_formats() {
    // clang-format off
    static const std::vector<SequenceFormat> list{
        {.name = "HDF5", .extensions = {".h5", ".hdf5"}, .other_extensions = {".hkl", ".nc"}, .first_bytes = first_bytes::hdf5,
         .named_arrays = true, .attributes = true, .streams = true, .compresses = true, .open = open_hdf5, .create = create_hdf5},
        {.name = "NPY", .extensions = {".npy"}, .first_bytes = first_bytes::npy, .layouts = true, .open = open_npy, .create = create_npy},
        {.name = "NPZ", .extensions = {".npz"}, .first_bytes = first_bytes::zip, .is_zip = true, .named_arrays = true, .open = open_npz},
    };
    // clang-format on
    return list;
}

const SequenceFormat* format_of_name(const fs::path& path) {
    for (const auto& format : sequence_formats()) {
        if (has_extension(path, format.extensions)) return &format;
    }
    return nullptr;
}

const SequenceFormat* format_of_file(const fs::path& path) {
    if (const auto* named = format_of_name(path)) return named;
    std::error_code ec;
    if (!fs::is_regular_file(path, ec)) return nullptr;  // what is read of a pipe is gone
    constexpr std::size_t looked_at = 8;
    const auto start = start_of_file(path, looked_at);
    for (const auto& format : sequence_formats()) {
        if (!start.starts_with(format.first_bytes)) continue;
        return format.is_zip && kind_of_file(path) == FileKind::checkpoint ? nullptr : &format;
    }
    return nullptr;
}

bool is_array_name(const fs::path& path) {
    return std::ranges::any_of(sequence_formats(), [&](const SequenceFormat& format) {
        return has_extension(path, format.extensions) || has_extension(path, format.other_extensions);
    });
}

std::string abilities(const SequenceFormat& format) {
    auto text = fmt::format("{}: {}, {}", fmt::join(format.extensions, ", "),
                            format.writes() ? "read and written" : "read",
                            format.named_arrays ? "several arrays (FILE:DATASET)" : "one array");
    for (const auto& [can, what] : {std::pair{format.attributes, "attributes and splits"},
                                    {format.streams, "written piece by piece"},
                                    {format.compresses, "compressed"}}) {
        if (can) text += fmt::format(", {}", what);
    }
    return text;
}

std::vector<std::string> sequence_extensions(const std::function<bool(const SequenceFormat&)>& which) {
    std::vector<std::string> extensions;
    for (const auto& format : sequence_formats()) {
        if (which(format)) extensions.push_back(format.extensions.front());
    }
    return extensions;
}

}  // namespace stl
