// A built-in bitmap font: printable ASCII, 5 x 7 pixels and two rows below the line, drawn by whole factors.
#pragma once

#include <string>
#include <string_view>

#include "stl/media/image.h"
#include "stl/render/theme.h"

namespace stl {

constexpr int glyph_advance = 6;  ///< columns from one character to the next
constexpr int glyph_ascent = 7;   ///< rows above the line
constexpr int glyph_height = 9;

/// Width of a line of text; a character that the font lacks is drawn as '?'.
int text_width(std::string_view text, int factor = 1);

/// Draws onto an RGB image with the upper left corner at (x, y); what falls outside is cut off.
void draw_text(Image& image, int x, int y, std::string_view text, Color color, int factor = 1);

/// `text`, or as much of it as fits into `width` pixels with ".." at its end.
std::string fit_text(std::string_view text, int width, int factor = 1);

}  // namespace stl
