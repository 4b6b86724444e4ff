#include "stl/data/npz_file.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/file_checks.h"
#include "stl/data/npy_file.h"
#include "stl/data/zip_archive.h"

namespace stl {
namespace {

/// "sequences.npy" -> "sequences"
std::string array_name(const std::string& entry) {
    return entry.ends_with(".npy") ? entry.substr(0, entry.size() - 4) : entry;
}

std::string choose_array(const std::vector<ZipEntry>& entries, const std::string& asked,
                         const std::string& path) {
    std::vector<std::string> names;
    for (const auto& entry : entries) names.push_back(array_name(entry.name));
    if (names.empty()) fail("{}: holds no array", path);
    auto candidates = names;
    std::erase(candidates, "split");
    const auto name = !asked.empty() ? asked : candidates.size() == 1 ? candidates.front() : "sequences";
    if (std::ranges::find(names, name) == names.end()) {
        for (auto& other : names) other = shown(other);
        fail("{}: no array '{}'{}", path, name, did_you_mean(name, names));
    }
    return name;
}

std::vector<std::uint8_t> read_split(const std::shared_ptr<const MappedFile>& file, const ZipEntry& entry) {
    const auto content = open_zip_entry(file, entry);
    const auto where = file->path().string() + ": array 'split'";
    const auto header = parse_npy(content.bytes, where);
    if (header.shape.size() != 1 || header.dtype != DType::u8) {
        fail("{}: {} {}, expected uint8 [N]", where, dtype_name(header.dtype), to_string(header.shape));
    }
    const auto* marks = reinterpret_cast<const std::uint8_t*>(content.bytes.data() + header.data_offset);
    return {marks, marks + header.shape[0]};
}

}  // namespace

std::unique_ptr<SequenceReader> open_npz(const fs::path& path, const ReadOptions& options) {
    const auto file = std::make_shared<const MappedFile>(path);
    const auto entries = read_zip_directory(file->bytes(), path.string());
    const auto name = choose_array(entries, options.dataset, path.string());
    const auto entry_of = [&](const std::string& array) {
        return std::ranges::find(entries, array,
                                 [](const ZipEntry& entry) { return array_name(entry.name); });
    };
    std::vector<std::uint8_t> marks;
    const auto split = entry_of("split");
    if (split != entries.end() && (options.dataset.empty() || options.dataset == "sequences")) {
        marks = read_split(file, *split);
    }
    auto content = open_zip_entry(file, *entry_of(name));
    return open_npy_bytes(std::move(content.file), content.bytes, std::move(marks), options.layout,
                          fmt::format("{}: array '{}'", path.string(), shown(name)));
}

}  // namespace stl
