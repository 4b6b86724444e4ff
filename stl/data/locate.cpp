#include "stl/data/locate.h"

#include <fmt/ranges.h>

#include <cstdlib>

#include "stl/core/error.h"
#include "stl/data/cifar.h"
#include "stl/data/registry.h"
#include "stl/data/sets/stored.h"

namespace stl {
namespace {

std::vector<fs::path> roots() {
    std::vector<fs::path> list;
    if (const char* data = std::getenv("STL_DATA"); data != nullptr && *data != '\0') list.emplace_back(data);
    list.emplace_back("datasets");
    std::error_code ec;
    const auto program = fs::read_symlink("/proc/self/exe", ec);
    if (!ec) list.push_back(program.parent_path().parent_path() / "share/stl/datasets");
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
    for (const auto* name : {"mnist", "fashion-mnist"}) {
        auto file = locate_dataset(std::string(name) + "/" + kGlyphFile);
        found.emplace_back(name, file ? std::optional(file->parent_path()) : std::nullopt);
    }
    found.emplace_back("mmnist_cifar", locate_dataset(cifar_folder));
    for (const auto& info : datasets()) {
        if (info.make == make_imported)
            found.emplace_back(info.name, locate_dataset(imported_file(info.name)));
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
