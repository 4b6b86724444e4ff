// Zip archives as torch.save writes them (.pth, .ckpt): read in place over a memory map, written as a stream.
//
// Format: PKWARE APPNOTE 6.3, with zip64. Entries are stored as they are, or deflated; no encryption, no
// spanning.
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stl/core/file.h"

namespace stl::pickle {

struct ZipEntry {
    std::string_view name;
    bool deflated = false;
    std::uint32_t crc = 0;
    std::uint64_t packed = 0;  ///< bytes in the file
    std::uint64_t size = 0;    ///< bytes of content
    std::uint64_t offset = 0;  ///< of the content in the file
};

class ZipReader {
  public:
    /// Reads the directory and checks that every entry lies inside the file. `file` must outlive the reader.
    explicit ZipReader(std::span<const std::byte> file);

    const std::vector<ZipEntry>& entries() const { return entries_; }
    const ZipEntry* find(std::string_view name) const;
    /// The content: in place where it is stored, else inflated into `buffer`. Checks the entry's CRC-32,
    /// unless that is 0 (torch writes 0 when told to leave it out).
    std::span<const std::byte> read(const ZipEntry& entry, std::vector<std::byte>& buffer) const;

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

}  // namespace stl::pickle
