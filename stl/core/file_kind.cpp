#include "stl/core/file_kind.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/core/names.h"

namespace stl {
namespace {

constexpr std::size_t looked_at = 512;

/// By the name of its first entry, from byte 30 on.
FileKind kind_of_zip(std::string_view start) {
    if (start.size() < 30) return FileKind::unknown;
    const auto length = static_cast<unsigned char>(start[26]) + 256U * static_cast<unsigned char>(start[27]);
    const auto name = start.substr(30, length);
    if (name.ends_with(".npy")) return FileKind::sequences;
    const auto in_folder = name.substr(name.find('/') + 1);
    const bool of_torch = in_folder == "data.pkl" || in_folder == "byteorder" ||
                          in_folder == ".format_version" || in_folder == ".data/serialization_id" ||
                          in_folder == "version";
    return of_torch ? FileKind::checkpoint : FileKind::unknown;
}

bool is_safetensors(std::string_view start) {
    // The header's size: below 2^32, so that bytes 4 to 7 are 0.
    return start.size() > 9 && start.substr(4, 4) == std::string_view("\0\0\0\0", 4) &&
           start.substr(8, 2) == "{\"";
}

/// ONNX: ir_version (field 1, below 128), then a text (field 2, the producer, or 7, the graph).
bool is_onnx(std::string_view start) {
    return start.size() > 3 && start[0] == 0x08 && start[1] > 0 && (start[2] == 0x12 || start[2] == 0x3a);
}

}  // namespace

std::string stand_in(std::span<const std::byte> start) {
    const auto bytes = start.first(std::min(start.size(), looked_at));
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with("version https://git-lfs"))
        return "a Git LFS pointer in place of the file; fetch the file itself with 'git lfs pull'";
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    const auto tag = lower_case(text.substr(0, 14));
    if (tag.starts_with("<!doctype html") || tag.starts_with("<html"))
        return "a web page (HTML) in place of the file; download the file itself";
    return "";
}

void refuse_stand_in(const fs::path& path) {
    const auto start = start_of_file(path, looked_at);
    if (const auto what = stand_in(std::as_bytes(std::span(start))); !what.empty())
        fail("{}: {}", path.string(), what);
}

FileKind kind_of_file(const fs::path& path) {
    std::error_code ec;
    if (fs::is_directory(path, ec))
        return fs::is_regular_file(path / "experiment.json", ec) ? FileKind::run : FileKind::unknown;
    const auto text = start_of_file(path, looked_at);
    const std::string_view start(text);
    if (start.starts_with(first_bytes::zip)) return kind_of_zip(start);
    if (std::ranges::any_of(first_bytes::arrays, [&](auto bytes) { return start.starts_with(bytes); }))
        return FileKind::sequences;
    // torch.save before zip: a pickle of its magic number.
    if (start.substr(0, 40).find("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") != start.npos ||
        is_safetensors(start))
        return FileKind::checkpoint;
    if (start.substr(0, 12).find("ftyp") == 4 || start.starts_with("\x1a\x45\xdf\xa3"))
        return FileKind::video;
    if (is_onnx(start)) return FileKind::onnx;
    const auto first = start.find_first_not_of(" \t\r\n");
    return first != start.npos && start[first] == '{' ? FileKind::json : FileKind::unknown;
}

std::string kind_hint(const fs::path& path) {
    switch (kind_of_file(path)) {
        case FileKind::run:
            return "; it is a run, which stl evaluate, predict, info, report and convert take";
        case FileKind::checkpoint:
            return "; it is a checkpoint, which stl evaluate, predict, info and convert take";
        case FileKind::sequences:
            return "; it is a file of arrays, which stl inspect, import, metrics, render and train --data "
                   "take";
        case FileKind::json:
            return "; it is a JSON file: stl train and info take an experiment";
        case FileKind::video:
            return "; it is a video; stl import, inspect and predict --input read it";
        case FileKind::onnx:
            return "; it is an ONNX file; stl info reads it";
        case FileKind::unknown:
            break;
    }
    return "";
}

}  // namespace stl
