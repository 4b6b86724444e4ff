#include "stl/pickle/checksum.h"

#include <zlib.h>

namespace stl::pickle {

std::uint32_t crc32_of(std::span<const std::byte> bytes) {
    return static_cast<std::uint32_t>(
        ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace stl::pickle
