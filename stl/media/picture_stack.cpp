#include "stl/media/picture_stack.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <set>
#include <string>

#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/names.h"

namespace stl {
namespace {

constexpr int most_directories = 1'000'000;
constexpr int most_chunks = 100'000;

/// Numbers in the file's byte order.
class Numbers {
  public:
    Numbers(const ReadAt& read, bool little) : read_(read), little_(little) {}

    template <std::size_t bytes>
    std::optional<std::uint64_t> at(std::uint64_t from) const {
        std::array<unsigned char, bytes> raw{};
        if (!read_(from, raw)) return std::nullopt;
        const auto stored = std::as_bytes(std::span(raw));
        return little_ ? little_endian(stored) : big_endian(stored);
    }

  private:
    const ReadAt& read_;
    bool little_;
};

std::string text_at(const ReadAt& read, std::uint64_t from, std::size_t length) {
    std::string text(length, '\0');
    return read(from, {reinterpret_cast<unsigned char*>(text.data()), length}) ? text : "";
}

/// ImageJ writes one directory for all pictures of a stack that is too large for TIFF, and their number into the text.
std::int64_t count_in_description(std::string_view text) {
    constexpr std::string_view key = "images=";
    const auto at = text.find(key);
    if (!text.starts_with("ImageJ=") || at == std::string_view::npos) return 1;
    return std::max(1, std::atoi(std::string(text.substr(at + key.size(), 12)).c_str()));
}

/// Where things are in a directory: of 32-bit offsets in a TIFF, of 64 bits in a BigTIFF.
class Directories {
  public:
    struct Directory {
        bool page = true;
        std::string description;
        std::uint64_t next = 0;
    };

    Directories(const ReadAt& read, bool little, bool big) : read_(read), numbers_(read, little), big_(big) {}

    std::optional<std::uint64_t> first() const { return offset_at(big_ ? 8 : 4); }

    std::optional<Directory> at(std::uint64_t offset, bool with_description) const {
        constexpr std::uint64_t subfile_type = 254, description = 270;
        const std::uint64_t head = big_ ? 8 : 2, entry_bytes = big_ ? 20 : 12;
        const auto entries = big_ ? numbers_.at<8>(offset) : numbers_.at<2>(offset);
        if (!entries || *entries > most_entries) return std::nullopt;
        Directory found;
        std::uint64_t last_tag = 0;
        for (std::uint64_t i = 0; i < *entries; ++i) {
            const std::uint64_t entry = offset + head + entry_bytes * i;
            const auto tag = numbers_.at<2>(entry);
            if (!tag) return std::nullopt;
            if (*tag > description || (i > 0 && *tag <= last_tag)) break;  // they are in order
            last_tag = *tag;
            if (*tag != subfile_type && (*tag != description || !with_description)) continue;
            const auto length = offset_at(entry + 4), value = offset_at(entry + (big_ ? 12 : 8));
            if (!length || !value) return std::nullopt;
            // Of its bits 1 is for a preview, 4 for a mask.
            if (*tag == subfile_type)
                found.page = (numbers_.at<4>(entry + (big_ ? 12 : 8)).value_or(0) & 5U) == 0;
            if (*tag == description && *length > (big_ ? 8U : 4U) && *length <= longest_description)
                found.description = text_at(read_, *value, static_cast<std::size_t>(*length));
        }
        found.next = offset_at(offset + head + entry_bytes * *entries).value_or(0);
        return found;
    }

  private:
    static constexpr std::uint64_t most_entries = 65535;
    static constexpr std::uint64_t longest_description = 64 << 20;

    std::optional<std::uint64_t> offset_at(std::uint64_t from) const {
        return big_ ? numbers_.at<8>(from) : numbers_.at<4>(from);
    }

    const ReadAt& read_;
    Numbers numbers_;
    bool big_;
};

PictureStack tiff(const ReadAt& read, bool little, bool big) {
    const Directories directories(read, little, big);
    PictureStack stack{PictureStack::Kind::tiff};
    std::set<std::uint64_t> seen;
    auto offset = directories.first().value_or(0);
    for (int i = 0; offset != 0 && i < most_directories && seen.insert(offset).second; ++i) {
        auto found = directories.at(offset, /*with_description=*/i == 0);
        if (!found) {
            stack.cut = true;
            break;
        }
        if (i == 0) stack.description = std::move(found->description);
        if (found->page) stack.pages.push_back(offset);
        offset = found->next;
    }
    stack.little_endian = little;
    stack.big = big;
    stack.count = std::max(std::ssize(stack.pages), std::int64_t{1});
    // Other writers repeat the number of pages there, and some of them another.
    if (stack.pages.size() == 1) stack.count = count_in_description(stack.description);
    return stack;
}

/// The chunk `acTL` before the first picture says how many there are.
PictureStack png(const ReadAt& read) {
    const Numbers numbers(read, /*little=*/false);
    std::uint64_t at = 8;
    for (int i = 0; i < most_chunks; ++i) {
        const auto length = numbers.at<4>(at);
        const auto type = text_at(read, at + 4, 4);
        if (!length || type.empty() || type == "IDAT") break;
        if (type == "acTL") {
            return {PictureStack::Kind::png,
                    std::max<std::int64_t>(1, static_cast<std::int64_t>(numbers.at<4>(at + 8).value_or(1)))};
        }
        at += *length + 12;
    }
    return {};
}

PictureStack webp(const ReadAt& read) {
    const Numbers numbers(read, /*little=*/true);
    PictureStack stack{PictureStack::Kind::webp, 0};
    std::uint64_t at = 12;
    for (int i = 0; i < most_chunks; ++i) {
        const auto type = text_at(read, at, 4);
        const auto length = numbers.at<4>(at + 4);
        if (!length || type.empty()) break;
        if (type == "ANMF") ++stack.count;
        at += 8 + *length + *length % 2;
    }
    return stack.count > 0 ? stack : PictureStack{};
}

PictureStack stack_of(const ReadAt& read) {
    using namespace std::string_literals;
    const auto start = text_at(read, 0, 4);
    if (start.starts_with("II*\0"s)) return tiff(read, /*little=*/true, /*big=*/false);
    if (start.starts_with("MM\0*"s)) return tiff(read, /*little=*/false, /*big=*/false);
    if (start.starts_with("II+\0"s)) return tiff(read, /*little=*/true, /*big=*/true);
    if (start.starts_with("MM\0+"s)) return tiff(read, /*little=*/false, /*big=*/true);
    if (start.starts_with("\x89PNG")) return png(read);
    if (start == "RIFF" && text_at(read, 8, 4) == "WEBP") return webp(read);
    return {};
}

}  // namespace

PictureStack stack_of(std::span<const std::byte> file) {
    return stack_of([file](std::uint64_t from, std::span<unsigned char> to) {
        if (from > file.size() || to.size() > file.size() - from) return false;
        std::transform(file.begin() + static_cast<std::ptrdiff_t>(from),
                       file.begin() + static_cast<std::ptrdiff_t>(from + to.size()), to.begin(),
                       [](std::byte b) { return std::to_integer<unsigned char>(b); });
        return true;
    });
}

PictureStack stack_of(const fs::path& path) {
    std::error_code ec;
    if (!fs::is_regular_file(path, ec)) return {};  // a pipe would be waited for
    std::ifstream file(path, std::ios::binary);
    return stack_of([&](std::uint64_t from, std::span<unsigned char> to) {
        file.clear();
        file.seekg(static_cast<std::streamoff>(from));
        file.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
        return file.gcount() == static_cast<std::streamsize>(to.size());
    });
}

std::string contents_of(const PictureStack& stack) {
    using Kind = PictureStack::Kind;
    if (stack.kind == Kind::png || stack.kind == Kind::webp) {
        return fmt::format("{} (an animated {})", counted(stack.count, "frame"),
                           stack.kind == Kind::png ? "PNG" : "WebP");
    }
    return counted(stack.count, "page");
}

}  // namespace stl
