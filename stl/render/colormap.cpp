#include "stl/render/colormap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace stl {
namespace {

struct Linear {
    double r, g, b;
};

/// Oklab to linear sRGB, by the published matrices.
Linear from_oklab(double lightness, double a, double b) {
    const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

bool in_gamut(const Linear& c) {
    return std::min({c.r, c.g, c.b}) >= 0 && std::max({c.r, c.g, c.b}) <= 1;
}

std::uint8_t encode(double linear) {
    const double v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
    return static_cast<std::uint8_t>(std::lround(std::clamp(v, 0.0, 1.0) * 255));
}

double decode(std::uint8_t value) {
    const double v = value / 255.0;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

Color make_color(double t) {
    const double lightness = 0.10 + 0.86 * t;
    const double hue = (-75 + 180 * t) * std::numbers::pi / 180;  // violet, red, orange, yellow
    double chroma = 0.22 * std::pow(std::sin(std::numbers::pi * (0.04 + 0.84 * t)), 0.8);
    Linear color = from_oklab(lightness, chroma * std::cos(hue), chroma * std::sin(hue));
    while (!in_gamut(color) && chroma > 0) {
        chroma = std::max(0.0, chroma - 0.002);  // paler, never of another lightness
        color = from_oklab(lightness, chroma * std::cos(hue), chroma * std::sin(hue));
    }
    return {encode(color.r), encode(color.g), encode(color.b)};
}

std::array<Color, 256> make_table() {
    std::array<Color, 256> table;
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = make_color(static_cast<double>(i) / 255);
    return table;
}

}  // namespace

Color heat_color(float t) {
    static const std::array<Color, 256> table = make_table();
    if (std::isnan(t)) return {255, 255, 255};
    return table[static_cast<std::size_t>(std::clamp(t, 0.0F, 1.0F) * 255 + 0.5F)];
}

float perceived_lightness(Color color) {
    const double r = decode(color.r), g = decode(color.g), b = decode(color.b);
    const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return static_cast<float>(0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s);
}

}  // namespace stl
