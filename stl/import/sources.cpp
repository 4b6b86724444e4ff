#include "stl/import/sources.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/formats/sequences.h"
#include "stl/media/natural_order.h"
#include "stl/media/video_reader.h"

namespace stl {
namespace {

bool is_array_name(const fs::path& path) {
    static constexpr std::array<std::string_view, 6> extensions{".h5", ".hdf5", ".hkl",
                                                                ".nc", ".npy",  ".npz"};
    const std::string extension = lower_case(path.extension().string());
    return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

bool is_hidden(const fs::path& path) {
    return path.filename().string().starts_with('.');
}

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(folder, ec)) {
        if (!is_hidden(entry.path())) found.push_back(entry.path());
    }
    if (ec) fail("{}: cannot be read ({})", folder.string(), ec.message());
    std::sort(found.begin(), found.end(),
              [](const fs::path& a, const fs::path& b) { return natural_less(a.string(), b.string()); });
    return found;
}

/// `pictures` is true for a folder whose own pictures are one source.
void search(const fs::path& folder, std::vector<ImportSource>& out) {
    if (!list_pictures(folder).empty()) out.push_back({ImportSource::Kind::pictures, folder.string()});
    for (const auto& path : entries(folder)) {
        if (fs::is_directory(path)) {
            if (!fs::is_symlink(path)) search(path, out);  // links could lead in circles
        } else if (is_array_name(path)) {
            out.push_back({ImportSource::Kind::array, path.string()});
        } else if (looks_like_video(path) && !is_picture_name(path)) {
            out.push_back({ImportSource::Kind::video, path.string()});
        }
    }
}

std::vector<std::string> matches(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> paths;
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
        paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    globfree(&found);
    std::sort(paths.begin(), paths.end(), natural_less);
    return paths;
}

void add(const std::string& input, std::vector<ImportSource>& out) {
    const auto [path, dataset] = split_file_name(input);
    std::error_code ec;
    if (fs::is_directory(path, ec)) {
        search(path, out);
    } else if (is_array_name(path) || !dataset.empty()) {
        out.push_back({ImportSource::Kind::array, input});
    } else {
        // Whatever its name, if the user names it: FFmpeg says what it is.
        out.push_back({ImportSource::Kind::video, input});
    }
}

/// The same for two spellings of one file: no source may be in two splits.
std::pair<std::string, std::string> identity(const ImportSource& source) {
    auto [path, dataset] = split_file_name(source.name);
    std::error_code ec;
    const fs::path real = fs::canonical(path, ec);
    return {ec ? source.name : real.string(), std::move(dataset)};
}

}  // namespace

std::vector<ImportSource> find_sources(std::span<const std::string> inputs) {
    std::vector<ImportSource> all;
    for (const auto& input : inputs) {
        const std::size_t before = all.size();
        std::error_code ec;
        const bool pattern = input.find_first_of("*?[") != std::string::npos;
        if (fs::exists(split_file_name(input).path, ec)) {
            add(input, all);
        } else if (pattern) {
            const auto paths = matches(input);
            if (paths.empty()) fail("{}: matches no file", input);
            for (const auto& path : paths) add(path, all);
        } else {
            fail("{}: no such file or folder", input);
        }
        if (all.size() == before) fail("{}: no videos, pictures or arrays in it", input);
    }
    std::set<std::pair<std::string, std::string>> seen;
    std::erase_if(all, [&](const ImportSource& s) { return !seen.insert(identity(s)).second; });
    return all;
}

}  // namespace stl
