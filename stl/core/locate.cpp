#include "stl/core/locate.h"

#include <dlfcn.h>

#include <fmt/ranges.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "stl/core/error.h"

namespace stl {
namespace {

std::vector<fs::path> roots() {
    std::vector<fs::path> list;
    if (const char* data = std::getenv("STL_DATA"); data != nullptr && *data != '\0') list.emplace_back(data);
    list.emplace_back("datasets");
    if (const auto folder = program_folder(); !folder.empty())
        list.push_back(folder.parent_path() / "share/stl/datasets");
    list.emplace_back(STL_SOURCE_DIR "/datasets");
    return list;
}

}  // namespace

std::optional<fs::path> locate_dataset(const std::string& name) {
    std::error_code ec;
    for (const auto& root : roots()) {
        if (fs::exists(root / name, ec)) return root / name;
    }
    return std::nullopt;
}

fs::path require_dataset(const std::string& name) {
    if (auto path = locate_dataset(name)) return *std::move(path);
    std::vector<std::string> tried;
    for (const auto& root : roots()) tried.push_back(root.string());
    fail("{}: not found in {} (set STL_DATA to the folder that contains it)", name, fmt::join(tried, ", "));
}

namespace {

/// Of the shared library that this code is part of. Empty if it is part of a program, which the system may know by a
/// name relative to the current folder.
fs::path shared_library_folder() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&shared_library_folder), &info) == 0) return {};
    const fs::path file(info.dli_fname);
    return file.is_absolute() ? file.parent_path() : fs::path();
}

}  // namespace

fs::path locate_library(const std::string& name) {
    std::error_code error;
    for (const auto& folder : {program_folder(), shared_library_folder()}) {
        if (folder.empty()) continue;
        for (const char* place : {"", "stl", "../lib", "../lib/stl"}) {
            const auto file = (folder / place / name).lexically_normal();
            if (fs::exists(file, error)) return file;
        }
    }
    return {};
}

}  // namespace stl
