#include "stl/glyphs/glyphs.h"

#include <optional>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/locate.h"
#include "stl/core/memory.h"
#include "stl/media/png.h"
#include "stl/media/video_reader.h"

namespace stl {
namespace {

GlyphSet read_pictures(const fs::path& folder) {
    GlyphSet set;
    for (const auto& path : list_pictures(folder)) {
        const auto picture = to_gray(read_png(path));
        require_memory(set.pixels.size() + picture.pixels.size(), folder.string());
        if (set.count == 0) {
            set.height = picture.height;
            set.width = picture.width;
        } else if (picture.height != set.height || picture.width != set.width) {
            fail("{}: {}x{}, the glyphs before it are {}x{}", path.string(), picture.width, picture.height,
                 set.width, set.height);
        }
        set.pixels.insert(set.pixels.end(), picture.pixels.begin(), picture.pixels.end());
        ++set.count;
    }
    if (set.count == 0) {
        fail("{}: no PNG and no train-images-idx3-ubyte[.gz] in this folder, expected glyphs",
             folder.string());
    }
    return set;
}

std::optional<fs::path> holds_idx(const fs::path& folder) {
    for (const auto* name : {"train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"}) {
        if (fs::exists(folder / name)) return folder / name;
    }
    return std::nullopt;
}

}  // namespace

GlyphSet load_glyphs(const fs::path& file_or_folder) {
    auto path = file_or_folder;
    if (fs::is_directory(path)) {
        if (!holds_idx(path)) return read_pictures(path);
        path = *holds_idx(path);
    }
    return read_idx(path);
}

std::vector<fs::path> glyph_files(const fs::path& file_or_folder) {
    if (!fs::is_directory(file_or_folder)) return {file_or_folder};
    if (const auto idx = holds_idx(file_or_folder)) return {*idx};
    return list_pictures(file_or_folder);
}

fs::path locate_glyphs(const std::string& name) {
    return require_dataset(name + "/" + glyph_file);
}

}  // namespace stl
