#include "stl/import/layouts/seq_file.h"

#include <cstring>
#include <string_view>

#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/media/picture_decoder.h"

namespace stl {
namespace {

constexpr std::size_t header_bytes = 1024;
constexpr std::uint32_t magic = 0xFEED;
constexpr std::size_t size_bytes = 4;

}  // namespace

SeqFile::SeqFile(const fs::path& path) : file_(path) {
    const auto bytes = file_.bytes();
    if (bytes.size() < header_bytes || number_at(0) != magic || bytes[4] != std::byte{'N'}) {
        fail("{}: not a Norpix .seq file, or cut off within its header", path.string());
    }
    at_ = number_at(32) >= header_bytes && number_at(32) < bytes.size() ? number_at(32) : header_bytes;
    if (!picture_at(at_)) fail("{}: no JPEG follows the header, expected JPEG pictures", path.string());
}

std::uint32_t SeqFile::number_at(std::size_t offset) const {
    return static_cast<std::uint32_t>(little_endian(file_.bytes().subspan(offset, 4)));
}

/// A size, and a JPEG's first bytes.
bool SeqFile::picture_at(std::size_t offset) const {
    const auto bytes = file_.bytes();
    return offset + size_bytes + 3 <= bytes.size() && number_at(offset) > size_bytes + 3 &&
           bytes[offset + 4] == std::byte{0xFF} && bytes[offset + 5] == std::byte{0xD8} &&
           bytes[offset + 6] == std::byte{0xFF};
}

/// Where the next picture's size stands: time stamps differ in length between versions. The file's size where
/// there is none.
std::size_t SeqFile::after(std::size_t end) const {
    for (const std::size_t stamp : {8, 16, 12, 10, 6, 4, 0}) {
        if (picture_at(end + stamp)) return end + stamp;
    }
    constexpr std::size_t longest_stamp = 16;
    if (end + longest_stamp + size_bytes < file_.bytes().size()) {
        fail("{}: damaged after picture {}", file_.path().string(), number_);
    }
    return file_.bytes().size();
}

std::optional<Image> SeqFile::next() {
    const auto bytes = file_.bytes();
    if (at_ >= bytes.size()) return std::nullopt;
    const std::size_t size = number_at(at_);
    ++number_;
    if (size > bytes.size() - at_) {
        fail("{}: cut off within picture {} ({} of {} bytes)", file_.path().string(), number_,
             bytes.size() - at_, size);
    }
    auto picture = decode_picture(bytes.subspan(at_ + size_bytes, size - size_bytes), file_.path(), {});
    at_ = after(at_ + size);
    return std::move(picture.picture.image);
}

}  // namespace stl
