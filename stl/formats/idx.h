// IDX files of pictures, LeCun's format of MNIST.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/file.h"

namespace stl {

/// Gray pictures of one size.
struct GrayPictures {
    std::int64_t count = 0;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::vector<std::uint8_t> pixels;  ///< [count,height,width]

    std::span<const std::uint8_t> picture(std::int64_t index) const {
        const auto size = static_cast<std::size_t>(height * width);
        return std::span(pixels).subspan(static_cast<std::size_t>(index) * size, size);
    }
};

/// IDX bytes as they are after unpacking. Error: wrong magic, wrong rank, truncated, empty.
GrayPictures parse_idx(std::string_view bytes, const std::string& where);
/// Of a file, gunzipped where it starts as gzip does. No more is unpacked than the header promises. Error: as parse_idx(), or
/// the file does not fit into memory.
GrayPictures read_idx(const fs::path& path);

}  // namespace stl
