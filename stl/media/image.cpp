#include "stl/media/image.h"

#include <algorithm>

#include "stl/core/error.h"

namespace stl {
namespace {

bool has_alpha(const Image& image) {
    return image.channels == 2 || image.channels == 4;
}

/// The pixel over black, channel c of its colour.
int over_black(const std::uint8_t* pixel, const Image& image, int c) {
    const int value = pixel[c];
    return has_alpha(image) ? (value * pixel[image.channels - 1] + 127) / 255 : value;
}

}  // namespace

template <class Value>
BasicImage<Value>::BasicImage(int h, int w, int c, Value fill) : height(h), width(w), channels(c) {
    if (h <= 0 || w <= 0 || c < 1 || c > 4) fail("a picture of {}x{} with {} channels is not valid", h, w, c);
    pixels.assign(static_cast<std::size_t>(h) * row_size(), fill);
}

template struct BasicImage<std::uint8_t>;
template struct BasicImage<float>;

Image to_gray(const Image& image) {
    if (image.channels == 1) return image;
    Image out(image.height, image.width, 1);
    const bool color = image.channels >= 3;
    for (std::size_t i = 0; i < out.pixels.size(); ++i) {
        const std::uint8_t* p = image.pixels.data() + i * static_cast<std::size_t>(image.channels);
        const int r = over_black(p, image, 0);
        out.pixels[i] = static_cast<std::uint8_t>(
            color ? (299 * r + 587 * over_black(p, image, 1) + 114 * over_black(p, image, 2) + 500) / 1000
                  : r);
    }
    return out;
}

Image to_rgb(const Image& image) {
    if (image.channels == 3) return image;
    Image out(image.height, image.width, 3);
    const bool color = image.channels >= 3;
    for (std::size_t i = 0; i < out.pixels.size(); ++i) {
        const std::uint8_t* p = image.pixels.data() + i / 3 * static_cast<std::size_t>(image.channels);
        out.pixels[i] = static_cast<std::uint8_t>(over_black(p, image, color ? static_cast<int>(i % 3) : 0));
    }
    return out;
}

template <class Value>
BasicImage<Value> oriented(const BasicImage<Value>& image, const Orientation& o) {
    if (o == Orientation{} || image.empty()) return image;
    BasicImage<Value> out(o.transpose ? image.width : image.height, o.transpose ? image.height : image.width,
                          image.channels);
    for (int y = 0; y < out.height; ++y) {
        for (int x = 0; x < out.width; ++x) {
            const int v = o.mirror_y ? out.height - 1 - y : y;
            const int u = o.mirror_x ? out.width - 1 - x : x;
            const Value* from = image.row(o.transpose ? u : v) + (o.transpose ? v : u) * image.channels;
            std::copy_n(from, image.channels, out.row(y) + x * image.channels);
        }
    }
    return out;
}

template Image oriented(const Image& image, const Orientation& o);
template DeepImage oriented(const DeepImage& image, const Orientation& o);

template <class Value>
BasicImage<Value> padded(const BasicImage<Value>& image, int height, int width) {
    if (image.height == height && image.width == width) return image;
    BasicImage<Value> out(height, width, image.channels);
    const int left = (width - image.width) / 2;
    for (int y = 0; y < image.height; ++y) {
        std::copy_n(image.row(y), image.row_size(),
                    out.row(y + (height - image.height) / 2) + left * image.channels);
    }
    return out;
}

template Image padded(const Image& image, int height, int width);
template DeepImage padded(const DeepImage& image, int height, int width);

Image enlarge(const Image& image, int factor) {
    if (factor == 1) return image;
    Image out(image.height * factor, image.width * factor, image.channels);
    for (int y = 0; y < image.height; ++y) {
        std::uint8_t* first = out.row(y * factor);
        for (int x = 0; x < out.width; ++x) {
            std::copy_n(image.row(y) + x / factor * image.channels, image.channels,
                        first + x * image.channels);
        }
        for (int k = 1; k < factor; ++k) std::copy_n(first, out.row_size(), out.row(y * factor + k));
    }
    return out;
}

}  // namespace stl
