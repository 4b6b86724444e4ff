#include "stl/render/canvas.h"

#include <algorithm>
#include <array>

#include "stl/core/names.h"

namespace stl {

const Theme& find_theme(std::string_view name) {
    const std::array<std::string, 2> names{"dark", "light"};
    if (name == names[0]) return dark_theme;
    if (name == names[1]) return light_theme;
    fail_unknown("", "theme", name, names);
}

Image make_canvas(int height, int width, Color color) {
    Image image(height, width, 3);
    fill_rectangle(image, 0, 0, width, height, color);
    return image;
}

void fill_rectangle(Image& image, int x, int y, int width, int height, Color color) {
    const int x1 = std::clamp(x + width, 0, image.width), y1 = std::clamp(y + height, 0, image.height);
    for (int v = std::max(y, 0); v < y1; ++v) {
        for (int u = std::max(x, 0); u < x1; ++u) {
            std::uint8_t* p = image.row(v) + 3 * u;
            p[0] = color.r;
            p[1] = color.g;
            p[2] = color.b;
        }
    }
}

void draw_border(Image& image, int x, int y, int width, int height, int t, Color color) {
    fill_rectangle(image, x - t, y - t, width + 2 * t, t, color);
    fill_rectangle(image, x - t, y + height, width + 2 * t, t, color);
    fill_rectangle(image, x - t, y, t, height, color);
    fill_rectangle(image, x + width, y, t, height, color);
}

void draw_image(Image& image, int x, int y, const Image& picture) {
    if (picture.channels != 3) return draw_image(image, x, y, to_rgb(picture));
    const int u0 = std::max(0, -x), u1 = std::min(picture.width, image.width - x);
    if (u1 <= u0) return;
    for (int v = std::max(0, -y); v < std::min(picture.height, image.height - y); ++v) {
        std::copy_n(picture.row(v) + 3 * u0, 3 * (u1 - u0), image.row(y + v) + 3 * (x + u0));
    }
}

Image mixed(const Image& picture, Color color, float amount) {
    Image out = to_rgb(picture);
    const std::array<float, 3> other{float(color.r), float(color.g), float(color.b)};
    for (std::size_t i = 0; i < out.pixels.size(); ++i) {
        out.pixels[i] = static_cast<std::uint8_t>(static_cast<float>(out.pixels[i]) * (1 - amount) +
                                                  other[i % 3] * amount + 0.5F);
    }
    return out;
}

}  // namespace stl
