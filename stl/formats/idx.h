// IDX files of pictures, LeCun's format of MNIST.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

}  // namespace stl
