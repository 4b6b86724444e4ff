#include <zlib.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "stl/archive/zip.h"
#include "stl/core/array.h"
#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint32_t central_signature = 0x02014b50;
constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::uint32_t end64_signature = 0x06064b50;
constexpr std::uint32_t locator64_signature = 0x07064b50;
constexpr std::size_t end_size = 22;
constexpr std::size_t central_size = 46;
constexpr std::size_t local_size = 30;

Bytes part(Bytes bytes, std::uint64_t offset, std::uint64_t size, const char* what) {
    if (offset > bytes.size() || size > bytes.size() - offset)
        fail("damaged zip file: {} lies outside it", what);
    return bytes.subspan(offset, size);
}

/// Little-endian number of `size` bytes at `offset`; the caller checked that they are there.
std::uint64_t number(Bytes bytes, std::size_t offset, std::size_t size) {
    return little_endian(bytes.subspan(offset, size));
}

struct Directory {
    std::uint64_t offset = 0, size = 0, count = 0;
};

std::optional<std::size_t> find_end(Bytes file) {
    if (file.size() < end_size) return std::nullopt;
    // A comment of up to 65535 bytes may follow.
    const auto last = file.size() - end_size;
    for (std::size_t back = 0; back <= std::min<std::size_t>(last, 65535); ++back) {
        if (number(file, last - back, 4) == end_signature && number(file, last - back + 20, 2) == back) {
            return last - back;
        }
    }
    return std::nullopt;
}

Directory find_directory(Bytes file) {
    const auto end = find_end(file);
    if (!end) {
        const bool begins = file.size() >= 4 && number(file, 0, 4) == local_signature;
        fail("{}", begins ? "truncated zip file (its directory, at the end, is missing)" : "not a zip file");
    }
    Directory found{number(file, *end + 16, 4), number(file, *end + 12, 4), number(file, *end + 10, 2)};
    const bool zip64 = found.offset == 0xffffffff || found.size == 0xffffffff || found.count == 0xffff;
    if (!zip64 || *end < 20 || number(file, *end - 20, 4) != locator64_signature) return found;
    const auto record = part(file, number(file, *end - 12, 8), 56, "the zip64 directory record");
    if (number(record, 0, 4) != end64_signature) fail("damaged zip file: no zip64 directory record");
    return {number(record, 48, 8), number(record, 40, 8), number(record, 32, 8)};
}

/// The zip64 field of an entry's extra data replaces those of the three values that are all ones.
void read_zip64(Bytes extra, std::uint64_t& size, std::uint64_t& packed, std::uint64_t& header) {
    while (extra.size() >= 4) {
        const auto kind = number(extra, 0, 2);
        auto field = part(extra, 4, number(extra, 2, 2), "an entry's extra data");
        extra = extra.subspan(4 + field.size());
        if (kind != 1) continue;
        for (auto* value : {&size, &packed, &header}) {
            if (*value != 0xffffffff) continue;
            *value = number(part(field, 0, 8, "a zip64 size"), 0, 8);
            field = field.subspan(8);
        }
    }
}

/// Where an entry's content starts: its local header repeats name and extra data, of lengths of its own.
std::uint64_t content_offset(Bytes file, std::uint64_t header) {
    const auto local = part(file, header, local_size, "an entry's header");
    if (number(local, 0, 4) != local_signature) fail("damaged zip file: an entry's header is missing");
    return header + local_size + number(local, 26, 2) + number(local, 28, 2);
}

void check_crc(const ZipEntry& entry, std::uint32_t found) {
    if (entry.crc != 0 && found != entry.crc)
        fail("damaged zip file: the checksum of an entry ({} bytes) does not match", entry.size);
}

/// Entries that share bytes would let a small file promise any amount.
void refuse_overlaps(const std::vector<ZipEntry>& entries) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
    for (const auto& entry : entries) places.emplace_back(entry.offset, entry.packed);
    std::ranges::sort(places);
    for (std::size_t i = 1; i < places.size(); ++i) {
        if (places[i].first - places[i - 1].first < places[i - 1].second)
            fail("damaged zip file: two entries overlap");
    }
}

}  // namespace

ZipReader::ZipReader(Bytes file) : file_(file) {
    const auto directory = find_directory(file);
    auto rest = part(file, directory.offset, directory.size, "its directory");
    if (directory.count > rest.size() / central_size) {
        fail("damaged zip file: {} entries in a directory of {} bytes", directory.count, rest.size());
    }
    entries_.reserve(directory.count);
    for (std::uint64_t i = 0; i < directory.count; ++i) {
        const auto head = part(rest, 0, central_size, "a directory entry");
        if (number(head, 0, 4) != central_signature)
            fail("damaged zip file: directory entry {} is invalid", i);
        const auto flags = number(head, 8, 2);
        const auto method = number(head, 10, 2);
        const auto name_size = number(head, 28, 2);
        const auto extra_size = number(head, 30, 2);
        const auto name = part(rest, central_size, name_size, "a name");
        const auto extra = part(rest, central_size + name_size, extra_size, "an entry's extra data");
        auto packed = number(head, 20, 4);
        auto size = number(head, 24, 4);
        auto header = number(head, 42, 4);
        read_zip64(extra, size, packed, header);
        rest = rest.subspan(
            part(rest, 0, central_size + name_size + extra_size + number(head, 32, 2), "an entry's comment")
                .size());

        if ((flags & 1) != 0) fail("an encrypted zip file");
        if (method != 0 && method != 8)
            fail("a zip file compressed by method {}, expected stored or deflated", method);
        if (method == 0 && packed != size)
            fail("damaged zip file: a stored entry has {} compressed but {} uncompressed bytes", packed,
                 size);
        // Deflate packs at most 1032 to 1.
        if (method == 8 && size / 1032 > packed + 1)
            fail("damaged zip file: an entry of {} bytes cannot inflate to {} bytes", packed, size);
        const auto offset = content_offset(file, header);
        part(file, offset, packed, "an entry");
        entries_.push_back({{reinterpret_cast<const char*>(name.data()), name.size()},
                            method == 8,
                            static_cast<std::uint32_t>(number(head, 16, 4)),
                            packed,
                            size,
                            offset});
        if (!index_.emplace(entries_.back().name, entries_.size() - 1).second) {
            fail("damaged zip file: two entries with the same name");
        }
    }
    refuse_overlaps(entries_);
}

const ZipEntry* ZipReader::find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &entries_[found->second];
}

std::span<const std::byte> ZipReader::packed(const ZipEntry& entry) const {
    return part(file_, entry.offset, entry.packed, "an entry");
}

std::span<const std::byte> ZipReader::read(const ZipEntry& entry, std::vector<std::byte>& buffer) const {
    if (!entry.deflated) {
        const auto content = packed(entry);
        check_crc(entry, crc32_of(content));
        return content;
    }
    require_memory(entry.size, "a deflated entry");
    buffer.resize(entry.size);
    auto room = std::span(buffer);
    inflate(entry, [&room](Bytes piece) {
        std::ranges::copy(piece, room.begin());
        room = room.subspan(piece.size());
    });
    return buffer;
}

void ZipReader::inflate(const ZipEntry& entry, const std::function<void(Bytes)>& take) const {
    constexpr std::size_t piece = std::size_t{1} << 18;
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) fail("zlib cannot be initialised");
    const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
    auto source = packed(entry);
    std::vector<std::byte> block(piece);
    std::uint64_t left = entry.size;
    std::uint32_t crc = 0;
    int code = Z_OK;
    while (code == Z_OK) {
        // zlib counts in 32 bits.
        const auto given = std::min(source.size(), piece);
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(source.data()));
        stream.avail_in = static_cast<uInt>(given);
        stream.next_out = reinterpret_cast<Bytef*>(block.data());
        stream.avail_out = static_cast<uInt>(block.size());
        code = ::inflate(&stream, Z_NO_FLUSH);
        source = source.subspan(given - stream.avail_in);
        const auto made = Bytes(block).first(block.size() - stream.avail_out);
        if (made.size() > left || (code != Z_OK && code != Z_STREAM_END)) break;
        left -= made.size();
        crc = crc32_of(made, crc);
        take(made);
    }
    if (code != Z_STREAM_END || left > 0) fail("damaged zip file: an entry can't be inflated");
    check_crc(entry, crc);
}

std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t before) {
    return static_cast<std::uint32_t>(
        ::crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace stl
