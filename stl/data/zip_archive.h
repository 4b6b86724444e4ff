// Just enough of zip to read what numpy.savez and its like write. For the files of this folder alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stl/core/file.h"

namespace stl {

struct ZipEntry {
    std::string name;
    int method = 0;  ///< 0 stored, 8 deflated
    bool encrypted = false;
    std::uint32_t crc = 0;
    std::uint64_t packed_size = 0;
    std::uint64_t size = 0;
    std::uint64_t header_offset = 0;
};

/// Bytes and whatever keeps them there.
struct FileBytes {
    std::shared_ptr<const MappedFile> file;
    std::span<const std::byte> bytes;
};

/// The central directory's entries. Error: no zip file, truncated, damaged.
std::vector<ZipEntry> read_zip_directory(std::span<const std::byte> archive, const std::string& where);

/// An entry's content: in place if stored, else unpacked into a temporary file that goes with its map.
FileBytes open_zip_entry(const std::shared_ptr<const MappedFile>& archive, const ZipEntry& entry);

}  // namespace stl
