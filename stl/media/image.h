// An 8-bit picture as a plain value: pixels [height, width, channels], rows one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stl {

struct Image {
    int height = 0;
    int width = 0;
    int channels = 0;  ///< 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha
    std::vector<std::uint8_t> pixels;

    Image() = default;
    /// All values `fill`. Error unless the sizes are positive and there are 1 to 4 channels.
    Image(int height, int width, int channels, std::uint8_t fill = 0);

    bool empty() const { return pixels.empty(); }
    std::size_t row_size() const {
        return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
    }
    std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * row_size(); }
    const std::uint8_t* row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * row_size(); }
    std::uint8_t& at(int y, int x, int c = 0) { return row(y)[x * channels + c]; }
    std::uint8_t at(int y, int x, int c = 0) const { return row(y)[x * channels + c]; }
    bool operator==(const Image&) const = default;
};

/// Decoders refuse pictures of more pixels than this, so that a tiny file can't fill the memory.
constexpr std::int64_t default_max_pixels = std::int64_t{1} << 26;  // 8192 x 8192

/// One channel: BT.601 luma (0.299 R + 0.587 G + 0.114 B); transparency shows black.
Image to_gray(const Image& image);
/// Three channels: gray is repeated; transparency shows black.
Image to_rgb(const Image& image);

/// How a picture is turned before it is shown: first transposed, then mirrored.
struct Orientation {
    bool transpose = false;
    bool mirror_x = false;
    bool mirror_y = false;
    bool operator==(const Orientation&) const = default;
};
Image oriented(const Image& image, const Orientation& orientation);

/// Every pixel becomes factor x factor equal ones.
Image enlarge(const Image& image, int factor);

}  // namespace stl
