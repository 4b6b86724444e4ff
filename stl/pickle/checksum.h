// CRC-32 as zip uses it.
#pragma once

#include <cstdint>
#include <span>

namespace stl::pickle {

std::uint32_t crc32_of(std::span<const std::byte> bytes);

}  // namespace stl::pickle
