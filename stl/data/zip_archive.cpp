#include "stl/data/zip_archive.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "stl/core/error.h"
#include "stl/data/file_checks.h"

namespace stl {
namespace {

constexpr std::uint32_t kEndOfDirectory = 0x06054b50;
constexpr std::uint32_t kEndOfDirectory64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::uint32_t kDirectoryEntry = 0x02014b50;
constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint64_t kIn64 = 0xffffffff;  // the value stands in a zip64 field

/// Little-endian numbers at checked places.
class Bytes {
  public:
    Bytes(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

    std::span<const std::byte> part(std::uint64_t offset, std::uint64_t size) const {
        if (offset > bytes_.size() || size > bytes_.size() - offset) {
            fail("{}: truncated or damaged zip archive (bytes {} to {} of {})", where_, offset, offset + size,
                 bytes_.size());
        }
        return bytes_.subspan(offset, size);
    }
    std::uint64_t number(std::uint64_t offset, std::size_t size) const {
        const auto field = part(offset, size);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i) value |= std::to_integer<std::uint64_t>(field[i]) << (8 * i);
        return value;
    }
    std::uint64_t u16(std::uint64_t offset) const { return number(offset, 2); }
    std::uint64_t u32(std::uint64_t offset) const { return number(offset, 4); }
    std::uint64_t u64(std::uint64_t offset) const { return number(offset, 8); }

  private:
    std::span<const std::byte> bytes_;
    const std::string& where_;
};

/// Where the end-of-directory record starts: the last 22 bytes, or before a comment of up to 65535.
std::uint64_t find_end(const Bytes& zip, std::uint64_t size, const std::string& where) {
    constexpr std::uint64_t record = 22;
    constexpr std::uint64_t longest_comment = 65535;
    if (size < record) fail("{}: is no zip archive ({} bytes)", where, size);
    const std::uint64_t last = size - record;
    const std::uint64_t first = last > longest_comment ? last - longest_comment : 0;
    for (auto at = last + 1; at-- > first;) {
        if (zip.u32(at) == kEndOfDirectory) return at;
    }
    const bool started = zip.u32(0) == kLocalHeader;
    fail("{}: {}", where, started ? "truncated zip archive (its directory is missing)" : "is no zip archive");
}

/// Sizes and offset that didn't fit into 32 bits stand in the extra field with tag 1, in this order.
void read_zip64_extra(const Bytes& zip, std::uint64_t at, std::uint64_t end, ZipEntry& entry) {
    while (at + 4 <= end) {
        const auto tag = zip.u16(at);
        auto field = at + 4;
        at = field + zip.u16(at + 2);
        if (tag != 1) continue;
        for (auto* value : {&entry.size, &entry.packed_size, &entry.header_offset}) {
            if (*value != kIn64) continue;
            *value = zip.u64(field);
            field += 8;
        }
    }
}

/// Unpacks a raw deflate stream into `out`, checking size and CRC.
void inflate_entry(std::span<const std::byte> packed, const ZipEntry& entry, std::FILE* out,
                   const std::string& where) {
    constexpr std::size_t block_size = 1 << 18;
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) fail("{}: out of memory", where);
    const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
    std::vector<unsigned char> block(block_size);
    std::uint64_t total = 0;
    auto crc = static_cast<std::uint32_t>(crc32(0, nullptr, 0));
    std::size_t taken = 0;
    int status = Z_OK;
    while (status != Z_STREAM_END) {
        if (stream.avail_in == 0) {
            const auto n = std::min(packed.size() - taken, block_size);
            stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + taken));
            stream.avail_in = static_cast<uInt>(n);
            taken += n;
        }
        stream.next_out = block.data();
        stream.avail_out = static_cast<uInt>(block.size());
        status = inflate(&stream, Z_NO_FLUSH);
        if (status != Z_OK && status != Z_STREAM_END) fail("{}: damaged or truncated deflate data", where);
        const auto n = block.size() - stream.avail_out;
        total += n;
        if (total > entry.size) break;
        crc = static_cast<std::uint32_t>(crc32(crc, block.data(), static_cast<uInt>(n)));
        if (std::fwrite(block.data(), 1, n, out) != n) {
            fail("{}: no room to unpack it ({}; TMPDIR chooses the folder)", where, std::strerror(errno));
        }
    }
    if (total != entry.size || crc != entry.crc)
        fail("{}: damaged zip entry (size or checksum is wrong)", where);
}

/// A named temporary file that is removed at the end of the scope; maps of it live on.
class TemporaryFile {
  public:
    TemporaryFile() : name_((fs::temp_directory_path() / "stl-unpacked-XXXXXX").string()) {
        const int fd = ::mkstemp(name_.data());
        if (fd < 0) fail("{}: cannot be made ({}; TMPDIR chooses the folder)", name_, std::strerror(errno));
        file_.reset(::fdopen(fd, "wb"));
        if (!file_) ::close(fd);
    }
    ~TemporaryFile() { ::unlink(name_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    std::FILE* get() const { return file_.get(); }
    const std::string& name() const { return name_; }
    /// False if not everything could be written.
    bool close() { return std::fclose(file_.release()) == 0; }

  private:
    std::string name_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
};

}  // namespace

std::vector<ZipEntry> read_zip_directory(std::span<const std::byte> archive, const std::string& where) {
    if (archive.empty()) fail("{}: is empty, expected a zip archive", where);
    const Bytes zip(archive, where);
    const auto end = find_end(zip, archive.size(), where);
    auto count = zip.u16(end + 10);
    auto at = zip.u32(end + 16);
    constexpr std::uint64_t locator = 20;
    if (end >= locator && zip.u32(end - locator) == kLocator64) {
        const auto end64 = zip.u64(end - locator + 8);
        if (zip.u32(end64) != kEndOfDirectory64) fail("{}: damaged zip archive (zip64 directory)", where);
        count = zip.u64(end64 + 32);
        at = zip.u64(end64 + 48);
    }
    std::vector<ZipEntry> entries;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (zip.u32(at) != kDirectoryEntry)
            fail("{}: damaged zip archive (entry {} of {})", where, i + 1, count);
        ZipEntry entry;
        entry.encrypted = (zip.u16(at + 8) & 1) != 0;
        entry.method = static_cast<int>(zip.u16(at + 10));
        entry.crc = static_cast<std::uint32_t>(zip.u32(at + 16));
        entry.packed_size = zip.u32(at + 20);
        entry.size = zip.u32(at + 24);
        entry.header_offset = zip.u32(at + 42);
        const auto name = zip.part(at + 46, zip.u16(at + 28));
        entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
        const auto extra = at + 46 + name.size();
        const auto extra_end = extra + zip.u16(at + 30);
        read_zip64_extra(zip, extra, extra_end, entry);
        at = extra_end + zip.u16(at + 32);
        entries.push_back(std::move(entry));
    }
    return entries;
}

FileBytes open_zip_entry(const std::shared_ptr<const MappedFile>& archive, const ZipEntry& entry) {
    const auto where = archive->path().string() + ": " + shown(entry.name);
    const Bytes zip(archive->bytes(), where);
    if (entry.encrypted) fail("{}: is encrypted", where);
    if (zip.u32(entry.header_offset) != kLocalHeader) fail("{}: damaged zip archive (no entry there)", where);
    const auto start =
        entry.header_offset + 30 + zip.u16(entry.header_offset + 26) + zip.u16(entry.header_offset + 28);
    const auto packed = zip.part(start, entry.packed_size);
    if (entry.method == 0) return {archive, packed};
    if (entry.method != 8)
        fail("{}: compression method {}, expected stored or deflated", where, entry.method);

    TemporaryFile unpacked;
    if (unpacked.get() == nullptr) fail("{}: cannot be opened", unpacked.name());
    require_space(unpacked.name(), entry.size);
    inflate_entry(packed, entry, unpacked.get(), where);
    if (!unpacked.close()) fail("{}: no room to unpack it ({})", where, std::strerror(errno));
    auto file = std::make_shared<const MappedFile>(unpacked.name());
    const auto bytes = file->bytes();
    return {std::move(file), bytes};
}

}  // namespace stl
