#include "stl/formats/sequences.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/formats/hdf5_file.h"
#include "stl/formats/npy_file.h"
#include "stl/formats/npz_file.h"

namespace stl {
namespace {

bool is_file(const fs::path& path) {
    std::error_code ec;
    return fs::exists(path, ec) && !fs::is_directory(path, ec);
}

}  // namespace

SequenceFormat format_of_name(const fs::path& path) {
    const auto extension = lower_case(path.extension().string());
    if (extension == ".h5" || extension == ".hdf5") return SequenceFormat::hdf5;
    if (extension == ".npy") return SequenceFormat::npy;
    if (extension == ".npz") return SequenceFormat::npz;
    return SequenceFormat::none;
}

SequenceFormat format_of_file(const fs::path& path) {
    if (const auto named = format_of_name(path); named != SequenceFormat::none) return named;
    std::error_code ec;
    if (!fs::is_regular_file(path, ec)) return SequenceFormat::none;  // what is read of a pipe is gone
    std::array<char, 8> start{};
    std::ifstream in(path, std::ios::binary);
    in.read(start.data(), start.size());
    const std::string_view bytes(start.data(), static_cast<std::size_t>(in.gcount()));
    if (bytes.starts_with("\x89HDF\r\n\x1a\n")) return SequenceFormat::hdf5;
    if (bytes.starts_with("\x93NUMPY")) return SequenceFormat::npy;
    if (bytes.starts_with("PK\x03\x04") && kind_of_file(path) != FileKind::checkpoint)
        return SequenceFormat::npz;
    return SequenceFormat::none;
}

std::string to_string(const SequenceShape& shape) {
    return fmt::format("{} of {}x{}x{}", counted(shape.frames, "frame"), shape.channels, shape.height,
                       shape.width);
}

const char* split_name(Split split) {
    constexpr std::array names{"train", "validation", "test"};
    return names.at(static_cast<std::size_t>(split));
}

FileName split_file_name(const std::string& file) {
    if (is_file(file)) return {file, ""};
    for (auto colon = file.rfind(':'); colon != std::string::npos && colon > 0;
         colon = file.rfind(':', colon - 1)) {
        const auto path = file.substr(0, colon);
        if (is_file(path)) return {path, file.substr(colon + 1)};
    }
    for (auto colon = file.rfind(':'); colon != std::string::npos && colon > 0;
         colon = file.rfind(':', colon - 1)) {
        const auto path = file.substr(0, colon);
        const auto format = format_of_name(path);
        if (format == SequenceFormat::hdf5 || format == SequenceFormat::npz)
            return {path, file.substr(colon + 1)};
    }
    return {file, ""};
}

bool same_file(const std::string& a, const std::string& b) {
    std::error_code not_there;
    return fs::equivalent(split_file_name(a).path, split_file_name(b).path, not_there);
}

std::unique_ptr<SequenceReader> open_sequences(const std::string& file, const ReadOptions& options) {
    const auto [path, named] = split_file_name(file);
    if (!fs::exists(path)) fail("{}: no such file", path.string());
    if (fs::is_directory(path))
        fail("{}: is a folder, expected an HDF5, NPY or NPZ file{}", path.string(), kind_hint(path));
    require_regular_file(path);
    auto chosen = options;
    if (!named.empty()) chosen.dataset = named;
    switch (format_of_file(path)) {
        case SequenceFormat::hdf5:
            return open_hdf5(path, chosen);
        case SequenceFormat::npz:
            return open_npz(path, chosen);
        case SequenceFormat::npy:
            if (!chosen.dataset.empty()) {
                fail("{}: an NPY file holds one array, '{}' names one inside a file", path.string(),
                     chosen.dataset);
            }
            return open_npy(path, chosen);
        case SequenceFormat::none:
            break;
    }
    refuse_stand_in(path);
    fail("{}: neither HDF5 nor NPY nor NPZ (by its name or its first bytes){}", path.string(),
         kind_of_file(path) == FileKind::unknown ? "; stl import makes a sequence file of videos"
                                                 : kind_hint(path));
}

void SequenceWriter::set_splits(std::span<const Split> /*splits*/) {
    fail("splits can be marked in .h5 files alone");
}

void SequenceWriter::set_attributes(const Json& /*attributes*/) {
    fail("attributes stand in .h5 files alone");
}

std::unique_ptr<SequenceWriter> create_sequences(const std::string& file, std::int64_t count,
                                                 const SequenceShape& shape, const WriteOptions& options) {
    const auto [path, named] = split_file_name(file);
    if (options.dtype != DType::u8 && options.dtype != DType::f32) {
        fail("{}: cannot write {} values, expected uint8 or float32", file, dtype_name(options.dtype));
    }
    if ((count < 1 && count != unknown_count) || shape.elements() < 1)
        fail("{}: nothing to write ({} sequences)", file, count);
    auto chosen = options;
    if (!named.empty()) chosen.dataset = named;
    switch (format_of_name(path)) {
        case SequenceFormat::hdf5:
            return create_hdf5(path, count, shape, chosen);
        case SequenceFormat::npy:
            if (!named.empty()) fail("{}: an NPY file holds one array, '{}' names one", path.string(), named);
            if (count == unknown_count) {
                fail("{}: how many sequences there will be is not known yet, expected a .h5 file",
                     path.string());
            }
            return create_npy(path, count, shape, chosen);
        case SequenceFormat::npz:
        case SequenceFormat::none:
            break;
    }
    fail("{}: cannot write this kind of file, expected a name that ends in .h5, .hdf5 or .npy",
         path.string());
}

}  // namespace stl
