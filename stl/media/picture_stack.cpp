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

/// A file's bytes, wherever they are. False where it ends before.
using ReadAt = std::function<bool(std::uint64_t from, std::span<unsigned char> to)>;

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

/// ImageJ writes one directory for all pictures of a stack that is too large for TIFF, and their number into the text.
std::int64_t count_in_description(const ReadAt& read, std::uint64_t from, std::uint64_t length) {
    std::string text(std::min<std::uint64_t>(length, 256), '\0');
    if (!read(from, {reinterpret_cast<unsigned char*>(text.data()), text.size()})) return 1;
    if (!text.starts_with("ImageJ=")) return 1;
    constexpr std::string_view key = "images=";
    const auto at = text.find(key);
    if (at == std::string::npos) return 1;
    return std::max(1, std::atoi(text.c_str() + at + key.size()));
}

struct Directory {
    bool page = true;
    std::int64_t described = 1;  ///< pictures, by the description
    std::uint64_t next = 0;
};

std::optional<Directory> directory_at(const ReadAt& read, const Numbers& numbers, std::uint64_t offset) {
    constexpr std::uint64_t subfile_type = 254, description = 270, entry_bytes = 12;
    const auto entries = numbers.at<2>(offset);
    if (!entries) return std::nullopt;
    Directory found;
    std::uint64_t last_tag = 0;
    for (std::uint64_t i = 0; i < *entries; ++i) {
        const std::uint64_t entry = offset + 2 + entry_bytes * i;
        const auto tag = numbers.at<2>(entry);
        if (!tag) return std::nullopt;
        if (*tag > description || (i > 0 && *tag <= last_tag)) break;  // they are in order
        last_tag = *tag;
        if (*tag != subfile_type && *tag != description) continue;
        const auto length = numbers.at<4>(entry + 4), value = numbers.at<4>(entry + 8);
        if (!length || !value) return std::nullopt;
        // Of its bits 1 is for a preview, 4 for a mask.
        if (*tag == subfile_type) found.page = (*value & 5U) == 0;
        if (*tag == description) found.described = count_in_description(read, *value, *length);
    }
    found.next = numbers.at<4>(offset + 2 + entry_bytes * *entries).value_or(0);
    return found;
}

PictureStack tiff(const ReadAt& read, bool little) {
    const Numbers numbers(read, little);
    PictureStack stack{PictureStack::Kind::tiff};
    std::set<std::uint64_t> seen;
    std::int64_t described = 1;
    auto offset = numbers.at<4>(4).value_or(0);
    for (int i = 0; offset != 0 && i < most_directories && seen.insert(offset).second; ++i) {
        const auto found = directory_at(read, numbers, offset);
        if (!found) break;
        if (found->page) stack.pages.push_back(static_cast<std::uint32_t>(offset));
        described = std::max(described, found->described);
        offset = found->next;
    }
    stack.little_endian = little;
    stack.count = std::max(described, std::ssize(stack.pages));
    return stack;
}

std::string text_at(const ReadAt& read, std::uint64_t from, std::size_t length) {
    std::string text(length, '\0');
    return read(from, {reinterpret_cast<unsigned char*>(text.data()), length}) ? text : "";
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
    if (start.starts_with("II*\0"s)) return tiff(read, /*little=*/true);
    if (start.starts_with("MM\0*"s)) return tiff(read, /*little=*/false);
    if (start.starts_with("II+\0"s) || start.starts_with("MM\0+"s)) return {PictureStack::Kind::big_tiff};
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
