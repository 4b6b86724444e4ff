#include "stl/media/second_film.h"

#include <array>
#include <fstream>
#include <optional>
#include <span>
#include <string_view>

#include "stl/core/byte_order.h"

namespace stl {
namespace {

/// Reads from places in a file; what lies beyond its end is empty.
class Bytes {
  public:
    explicit Bytes(const fs::path& path) : in_(path, std::ios::binary) {
        in_.seekg(0, std::ios::end);
        size_ = in_ ? static_cast<std::int64_t>(in_.tellg()) : 0;
    }
    std::int64_t size() const { return size_; }
    /// False: the file ends before.
    bool read(std::int64_t at, std::span<std::byte> out) {
        if (at < 0 || at > size_ - std::ssize(out)) return false;
        in_.seekg(at);
        in_.read(reinterpret_cast<char*>(out.data()), std::ssize(out));
        return in_.good();
    }
    std::optional<unsigned> byte(std::int64_t at) {
        std::array<std::byte, 1> one{};
        if (!read(at, one)) return std::nullopt;
        return std::to_integer<unsigned>(one[0]);
    }

  private:
    std::ifstream in_;
    std::int64_t size_ = 0;
};

std::string_view text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// MP4 and MOV are boxes, one after the other; `ftyp` is a film's first, which a second one repeats. Other things
/// behind the film (what cameras and phones append) are not a film.
std::int64_t second_mp4(Bytes& file) {
    bool film = false;
    std::array<std::byte, 16> header{};
    for (std::int64_t at = 0; file.read(at, std::span(header).first(8));) {
        const auto name = text(std::span(header).subspan(4, 4));
        if (name == "ftyp" && film) return file.size() - at;
        film = film || name == "moov";
        std::uint64_t size = big_endian(std::span(header).first(4));
        if (size == 1) {
            if (!file.read(at, header)) return 0;
            size = big_endian(std::span(header).subspan(8));
        }
        if (size < 8 || size > static_cast<std::uint64_t>(file.size() - at)) return 0;
        at += static_cast<std::int64_t>(size);
    }
    return 0;
}

/// The place behind GIF's chain of sub-blocks, each led by its length; the last is empty.
std::optional<std::int64_t> behind_sub_blocks(Bytes& file, std::int64_t at) {
    for (;;) {
        const auto length = file.byte(at);
        if (!length) return std::nullopt;
        at += 1 + static_cast<std::int64_t>(*length);
        if (*length == 0) return at;
    }
}

std::int64_t color_table_bytes(unsigned flags) {
    return (flags & 0x80U) != 0 ? 3 * (std::int64_t{2} << (flags & 7U)) : 0;
}

SecondFilm second_gif(Bytes& file) {
    constexpr unsigned extension = 0x21, picture = 0x2C, trailer = 0x3B;
    std::int64_t pictures = 0;
    std::optional<std::int64_t> at = 13 + color_table_bytes(file.byte(10).value_or(0));
    while (at) {
        const auto kind = file.byte(*at);
        if (kind == extension) {
            at = behind_sub_blocks(file, *at + 2);
        } else if (kind == picture) {
            ++pictures;
            at = behind_sub_blocks(file, *at + 11 + color_table_bytes(file.byte(*at + 9).value_or(0)));
        } else {
            std::array<std::byte, 4> next{};
            const bool film = kind == trailer && file.read(*at + 1, next) && text(next) == "GIF8";
            return film ? SecondFilm{file.size() - *at - 1, pictures} : SecondFilm{};
        }
    }
    return {};
}

}  // namespace

SecondFilm second_film(const fs::path& path) {
    Bytes file(path);
    std::array<std::byte, 8> begin{};
    if (!file.read(0, begin)) return {};
    if (text(begin).starts_with("GIF8")) return second_gif(file);
    return {text(begin).substr(4) == "ftyp" ? second_mp4(file) : 0};
}

}  // namespace stl
