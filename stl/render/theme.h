// Colours and measures that all pictures of this folder share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stl {

struct Color {
    std::uint8_t r = 0, g = 0, b = 0;
    bool operator==(const Color&) const = default;
};

struct Theme {
    Color background, card, text, faint, observed, predicted;
};

/// For screens.
constexpr Theme dark_theme{{16, 18, 24},    {28, 31, 40},   {226, 229, 236},
                           {128, 135, 150}, {96, 165, 250}, {251, 176, 64}};
/// For paper.
constexpr Theme light_theme{{255, 255, 255}, {240, 241, 244}, {28, 31, 40},
                            {110, 116, 128}, {29, 100, 208},  {214, 106, 0}};

/// "dark" or "light". Error naming the two.
const Theme& find_theme(std::string_view name);

}  // namespace stl
