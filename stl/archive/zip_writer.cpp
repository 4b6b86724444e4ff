#include <cstring>

#include "stl/archive/zip.h"
#include "stl/core/error.h"

namespace stl {
namespace {

constexpr std::uint64_t alignment = 64;
constexpr std::uint32_t all_ones = 0xffffffff;

/// Appends little-endian numbers.
class Record {
  public:
    template <class T>
    Record& add(T value) {
        for (std::size_t i = 0; i < sizeof value; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
        return *this;
    }
    Record& add_text(std::string_view text) {
        bytes_ += text;
        return *this;
    }
    std::size_t size() const { return bytes_.size(); }
    const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
};

std::uint32_t clipped(std::uint64_t value) {
    return value < all_ones ? static_cast<std::uint32_t>(value) : all_ones;
}

/// Version, flags (names are UTF-8), method "stored", time and date (1980-01-01: the same content, the same
/// file), checksum and sizes: what local and central headers share.
void add_common(Record& record, std::uint32_t crc, std::uint64_t size) {
    const std::uint16_t version = size < all_ones ? 20 : 45;
    record.add(version).add(std::uint16_t{0x0800}).add(std::uint16_t{0}).add(std::uint16_t{0});
    record.add(std::uint16_t{0x21}).add(crc).add(clipped(size)).add(clipped(size));
}

}  // namespace

ZipWriter::ZipWriter(const fs::path& path, std::string shown_as)
    : shown_as_(std::move(shown_as)), out_(path, std::ios::binary) {
    if (!out_) fail("{}: cannot be written", shown_as_);
}

void ZipWriter::write(std::string_view bytes) {
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out_) fail("{}: cannot be written (is the disk full?)", shown_as_);
    position_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::string_view text) {
    add(name, std::as_bytes(std::span(text)));
}

void ZipWriter::add(const std::string& name, std::span<const std::byte> content) {
    const auto crc = crc32_of(content);
    Record extra;
    if (content.size() >= all_ones) {
        extra.add(std::uint16_t{1}).add(std::uint16_t{16});
        extra.add(std::uint64_t{content.size()}).add(std::uint64_t{content.size()});
    }
    // A field of its own ("FB", as torch pads) moves the content to a multiple of 64 bytes.
    const auto start = position_ + 30 + name.size() + extra.size() + 4;
    const auto padding = (alignment - start % alignment) % alignment;
    extra.add(std::uint16_t{0x4246})
        .add(static_cast<std::uint16_t>(padding))
        .add_text(std::string(padding, 'Z'));

    Record header;
    header.add(std::uint32_t{0x04034b50});
    add_common(header, crc, content.size());
    header.add(static_cast<std::uint16_t>(name.size())).add(static_cast<std::uint16_t>(extra.size()));
    header.add_text(name).add_text(extra.bytes());
    written_.push_back({name, crc, content.size(), position_});
    write(header.bytes());
    write({reinterpret_cast<const char*>(content.data()), content.size()});
}

void ZipWriter::finish() {
    const auto start = position_;
    for (const auto& entry : written_) {
        Record extra;
        const bool large = entry.size >= all_ones;
        const bool far = entry.header >= all_ones;
        if (large || far) {
            extra.add(std::uint16_t{1}).add(static_cast<std::uint16_t>((large ? 16 : 0) + (far ? 8 : 0)));
            if (large) extra.add(entry.size).add(entry.size);
            if (far) extra.add(entry.header);
        }
        Record record;
        record.add(std::uint32_t{0x02014b50}).add(static_cast<std::uint16_t>(large || far ? 45 : 20));
        add_common(record, entry.crc, entry.size);
        record.add(static_cast<std::uint16_t>(entry.name.size()))
            .add(static_cast<std::uint16_t>(extra.size()));
        record.add(std::uint16_t{0}).add(std::uint16_t{0}).add(std::uint16_t{0}).add(std::uint32_t{0});
        record.add(clipped(entry.header)).add_text(entry.name).add_text(extra.bytes());
        write(record.bytes());
    }
    const auto size = position_ - start;
    const std::uint64_t count = written_.size();
    Record end;
    if (count >= 0xffff || start >= all_ones || size >= all_ones) {
        const auto record64 = position_;
        end.add(std::uint32_t{0x06064b50})
            .add(std::uint64_t{44})
            .add(std::uint16_t{45})
            .add(std::uint16_t{45});
        end.add(std::uint32_t{0}).add(std::uint32_t{0}).add(count).add(count).add(size).add(start);
        end.add(std::uint32_t{0x07064b50}).add(std::uint32_t{0}).add(record64).add(std::uint32_t{1});
    }
    const auto short_count = static_cast<std::uint16_t>(std::min<std::uint64_t>(count, 0xffff));
    end.add(std::uint32_t{0x06054b50})
        .add(std::uint16_t{0})
        .add(std::uint16_t{0})
        .add(short_count)
        .add(short_count);
    end.add(clipped(size)).add(clipped(start)).add(std::uint16_t{0});
    write(end.bytes());
    out_.close();
    if (!out_) fail("{}: cannot be written (is the disk full?)", shown_as_);
}

}  // namespace stl
