// A picture as a plain value: pixels [height, width, channels], rows one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stl {

template <class Value>
struct BasicImage {
    int height = 0;
    int width = 0;
    int channels = 0;  ///< 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha
    std::vector<Value> pixels;

    BasicImage() = default;
    /// All values `fill`. Error unless the sizes are positive and there are 1 to 4 channels.
    BasicImage(int height, int width, int channels, Value fill = 0);

    bool empty() const { return pixels.empty(); }
    std::size_t row_size() const {
        return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
    }
    Value* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * row_size(); }
    const Value* row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * row_size(); }
    Value& at(int y, int x, int c = 0) { return row(y)[x * channels + c]; }
    Value at(int y, int x, int c = 0) const { return row(y)[x * channels + c]; }
    bool operator==(const BasicImage&) const = default;
};

using Image = BasicImage<std::uint8_t>;
/// Of pictures that 8 bits would cut: the numbers that they store.
using DeepImage = BasicImage<float>;

/// A picture in 8 bits, or in its own depth where that was asked for and is larger; the other one is empty.
struct Picture {
    Image image;
    DeepImage deep{};
    /// The number that the picture stores for white: over 255 in gray or RGB of more than 8 bits. 0: not known, of floats,
    /// numbers with a sign and those of over 16 bits, which are always `deep`.
    int white = 255;

    int height() const { return deep.empty() ? image.height : deep.height; }
    int width() const { return deep.empty() ? image.width : deep.width; }
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
template <class Value>
BasicImage<Value> oriented(const BasicImage<Value>& image, const Orientation& orientation);

/// In the middle of a black picture that is as large or larger.
template <class Value>
BasicImage<Value> padded(const BasicImage<Value>& image, int height, int width);

/// Every pixel becomes factor x factor equal ones.
Image enlarge(const Image& image, int factor);

}  // namespace stl
