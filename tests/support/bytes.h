// Files made by hand, byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace stl::test {

inline std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

inline std::string little_endian(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
    return out;
}

}  // namespace stl::test
