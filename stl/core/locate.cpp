#include "stl/core/locate.h"

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

}  // namespace stl
