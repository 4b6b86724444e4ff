// Digests detect that bytes have changed. All digests that stl stores with its data are computed here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "stl/core/file.h"

namespace stl {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4, gives test values), at the speed of memory where the processor has
/// an instruction for it. Of pieces one after the other, with what the earlier ones gave. It finds damage, not forgery.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);
std::uint32_t crc32c(std::string_view text, std::uint32_t before = 0);
/// As it stands in files: "e3069283".
std::string crc_text(std::uint32_t crc);

/// Hexadecimal SHA-256 of a file's bytes, read in blocks.
std::string sha256_file(const fs::path& path);

/// Hexadecimal SHA-256 of a file's size and of 64 blocks of 64 KiB spread evenly over it (all of a small file): finds
/// that a file was replaced or written anew in the time that it takes to read 4 MiB, not every changed byte.
std::string sample_digest(const fs::path& path);

}  // namespace stl
