#include "stl/formats/idx.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "stl/core/array.h"
#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/memory.h"

namespace stl {
namespace {

constexpr std::size_t header_bytes = 16;              // magic, count, rows, columns
constexpr std::uint32_t pictures_magic = 0x00000803;  // unsigned bytes, three axes
constexpr std::uint32_t labels_magic = 0x00000801;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint32_t>(big_endian(std::as_bytes(std::span(bytes.substr(at, 4)))));
}

/// The first bytes, unpacked; empty where these cannot be had.
std::string header_of(const fs::path& path) {
    require_readable_file(path);
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
    std::string start(header_bytes, '\0');
    const int count = file ? gzread(file.get(), start.data(), header_bytes) : 0;
    start.resize(static_cast<std::size_t>(std::max(count, 0)));
    return start;
}

}  // namespace

GrayPictures parse_idx(std::string_view bytes, const std::string& where) {
    if (bytes.empty()) fail("{}: is empty, expected an IDX file of pictures", where);
    if (bytes.size() < 4) fail("{}: {} bytes, expected an IDX file of pictures", where, bytes.size());
    if (const auto what = stand_in(std::as_bytes(std::span(bytes))); !what.empty())
        fail("{}: {}", where, what);
    const auto magic = number_at(bytes, 0);
    if (magic == labels_magic) fail("{}: holds labels, expected the file with the pictures", where);
    if (magic >> 8 != 0x08) {
        fail("{}: starts with {:#010x}, expected {:#010x} (IDX of unsigned bytes)", where, magic,
             pictures_magic);
    }
    if (magic != pictures_magic)
        fail("{}: IDX of {} axes, expected 3 (pictures, rows, columns)", where, magic & 0xff);
    if (bytes.size() < header_bytes)
        fail("{}: truncated inside the header ({} of {} bytes)", where, bytes.size(), header_bytes);
    GrayPictures set{.count = number_at(bytes, 4),
                     .height = number_at(bytes, 8),
                     .width = number_at(bytes, 12),
                     .pixels = {}};
    if (set.count == 0 || set.height == 0 || set.width == 0) {
        fail("{}: {} pictures of {}x{}, expected at least one", where, set.count, set.width, set.height);
    }
    const auto expected = element_count({set.count, set.height, set.width}, where);
    if (static_cast<std::int64_t>(bytes.size() - header_bytes) != expected) {
        fail("{}: {} bytes of pixels, expected {} ({} pictures of {}x{}): truncated or damaged", where,
             bytes.size() - header_bytes, expected, set.count, set.width, set.height);
    }
    const auto pixels = bytes.substr(header_bytes, static_cast<std::size_t>(expected));
    set.pixels.assign(pixels.begin(), pixels.end());
    return set;
}

GrayPictures read_idx(const fs::path& path) {
    const auto where = path.string();
    const auto header = header_of(path);
    std::uint64_t limit = fs::file_size(path);  // of what isn't packed parse_idx() counts the bytes
    if (header.size() == header_bytes) {
        if (number_at(header, 0) != pictures_magic) return parse_idx(header, where);  // which says what it is
        const auto pixels =
            element_count({number_at(header, 4), number_at(header, 8), number_at(header, 12)}, where);
        limit = std::max(limit, header_bytes + static_cast<std::uint64_t>(pixels));
    }
    require_memory(2 * limit, where);
    return parse_idx(read_maybe_gzip(path, limit), where);
}

}  // namespace stl
