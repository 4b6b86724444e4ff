#include "stl/data/glyphs.h"

#include <optional>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/media/png.h"
#include "stl/media/video_reader.h"

namespace stl {
namespace {

constexpr std::size_t kHeader = 16;           // magic, count, rows, columns
constexpr std::uint32_t kMagic = 0x00000803;  // unsigned bytes, three axes
constexpr std::uint32_t kLabels = 0x00000801;

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

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

GlyphSet parse_idx(std::string_view bytes, const std::string& where) {
    if (bytes.empty()) fail("{}: is empty, expected an IDX file of pictures", where);
    if (bytes.size() < 4) fail("{}: {} bytes, expected an IDX file of pictures", where, bytes.size());
    const auto magic = big_endian(bytes, 0);
    if (magic == kLabels) fail("{}: holds labels, expected the file with the pictures", where);
    if (magic >> 8 != 0x08) {
        fail("{}: starts with {:#010x}, expected {:#010x} (IDX of unsigned bytes)", where, magic, kMagic);
    }
    if (magic != kMagic)
        fail("{}: IDX of {} axes, expected 3 (pictures, rows, columns)", where, magic & 0xff);
    if (bytes.size() < kHeader)
        fail("{}: truncated inside the header ({} of {} bytes)", where, bytes.size(), kHeader);
    GlyphSet set{.count = big_endian(bytes, 4),
                 .height = big_endian(bytes, 8),
                 .width = big_endian(bytes, 12),
                 .pixels = {}};
    if (set.count == 0 || set.height == 0 || set.width == 0) {
        fail("{}: {} pictures of {}x{}, expected at least one", where, set.count, set.width, set.height);
    }
    const auto expected = element_count({set.count, set.height, set.width}, where);
    if (static_cast<std::int64_t>(bytes.size() - kHeader) != expected) {
        fail("{}: {} bytes of pixels, expected {} ({} pictures of {}x{}): truncated or damaged", where,
             bytes.size() - kHeader, expected, set.count, set.width, set.height);
    }
    const auto pixels = bytes.substr(kHeader, static_cast<std::size_t>(expected));
    set.pixels.assign(pixels.begin(), pixels.end());
    return set;
}

GlyphSet load_glyphs(const fs::path& file_or_folder) {
    auto path = file_or_folder;
    if (fs::is_directory(path)) {
        if (!holds_idx(path)) return read_pictures(path);
        path = *holds_idx(path);
    }
    return parse_idx(read_maybe_gzip(path), path.string());
}

std::vector<fs::path> glyph_files(const fs::path& file_or_folder) {
    if (!fs::is_directory(file_or_folder)) return {file_or_folder};
    if (const auto idx = holds_idx(file_or_folder)) return {*idx};
    return list_pictures(file_or_folder);
}

}  // namespace stl
