#include "stl/data/locate.h"

#include <fmt/ranges.h>

#include <cstdlib>
#include <set>

#include "stl/core/error.h"
#include "stl/data/moving_scene.h"
#include "stl/data/registry.h"

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

constexpr auto kGlyphFile = "train-images-idx3-ubyte.gz";

}  // namespace

std::optional<fs::path> locate_dataset(const std::string& name) {
    std::error_code ec;
    for (const auto& root : roots()) {
        if (fs::exists(root / name, ec)) return root / name;
    }
    return std::nullopt;
}

std::vector<std::pair<std::string, std::optional<fs::path>>> locate_datasets() {
    std::vector<std::pair<std::string, std::optional<fs::path>>> found;
    std::set<std::string> glyphs;
    for (const auto& kind : moving_kinds()) {
        if (!glyphs.insert(kind.glyphs).second) continue;
        auto file = locate_dataset(kind.glyphs + "/" + kGlyphFile);
        found.emplace_back(kind.glyphs, file ? std::optional(file->parent_path()) : std::nullopt);
    }
    for (const auto& info : datasets()) {
        if (!info.data.empty()) found.emplace_back(info.name, locate_dataset(info.data));
    }
    return found;
}

fs::path locate_glyphs(const std::string& name) {
    const auto file = name + "/" + kGlyphFile;
    if (auto path = locate_dataset(file)) return *std::move(path);
    std::vector<std::string> tried;
    for (const auto& root : roots()) tried.push_back(root.string());
    fail("{}: not found in {} (STL_DATA names the folder that holds it)", file, fmt::join(tried, ", "));
}

}  // namespace stl
