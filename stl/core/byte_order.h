// Unsigned numbers as file formats store them: up to 8 bytes, in either order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stl {

/// The first byte is the most significant.
inline std::uint64_t big_endian(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (const auto byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
}

/// The last byte is the most significant.
inline std::uint64_t little_endian(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (auto i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

}  // namespace stl
