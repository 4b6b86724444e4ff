// Zip archives: read in place over a memory map, written as a stream. What torch.save (.pth, .ckpt) and
// numpy.savez (.npz) make.
//
// Format: PKWARE APPNOTE 6.3, with zip64. Entries are stored as they are, or deflated; no encryption, no
// spanning.
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stl/core/file.h"

namespace stl {

struct ZipEntry {
    std::string_view name;
    bool deflated = false;
    std::uint32_t crc = 0;     ///< of the content; 0: none is recorded (torch can be told to leave it out)
    std::uint64_t packed = 0;  ///< bytes in the file
    std::uint64_t size = 0;    ///< bytes of content
    std::uint64_t offset = 0;  ///< of the packed content in the file
};

/// Its Errors do not name the file.
class ZipReader {
  public:
    /// Reads the directory and checks that every entry lies inside the file. `file` must outlive the reader.
    explicit ZipReader(std::span<const std::byte> file);

    const std::vector<ZipEntry>& entries() const { return entries_; }
    const ZipEntry* find(std::string_view name) const;

    /// An entry's bytes in the file, unchecked: the content itself unless it is deflated.
    std::span<const std::byte> packed(const ZipEntry& entry) const;
    /// The content: in place where it is stored, else inflated into `buffer`. Error: it does not match size
    /// or CRC-32.
    std::span<const std::byte> read(const ZipEntry& entry, std::vector<std::byte>& buffer) const;
    /// A deflated entry's content piece by piece, checked the same way: the Error may come after the last piece.
    void inflate(const ZipEntry& entry, const std::function<void(std::span<const std::byte>)>& take) const;

  private:
    std::span<const std::byte> file_;
    std::vector<ZipEntry> entries_;
    std::unordered_map<std::string_view, std::size_t> index_;
};

/// Stored entries, each content on a multiple of 64 bytes as torch aligns them.
class ZipWriter {
  public:
    /// Writes to `path` (an AtomicFile's temporary name); messages speak of `shown_as`.
    ZipWriter(const fs::path& path, std::string shown_as);

    void add(const std::string& name, std::span<const std::byte> content);
    void add(const std::string& name, std::string_view text);
    /// Writes the directory and closes the file.
    void finish();

  private:
    struct Written {
        std::string name;
        std::uint32_t crc = 0;
        std::uint64_t size = 0, header = 0;
    };
    void write(std::string_view bytes);

    std::string shown_as_;
    std::ofstream out_;
    std::uint64_t position_ = 0;
    std::vector<Written> written_;
};

/// As zip counts it; of pieces one after the other, with what the earlier ones gave.
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace stl
