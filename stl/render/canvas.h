// Drawing on RGB images. What falls outside the image is cut off.
#pragma once

#include "stl/media/image.h"
#include "stl/render/theme.h"

namespace stl {

Image make_canvas(int height, int width, Color color);
void fill_rectangle(Image& image, int x, int y, int width, int height, Color color);
/// A frame of `thickness` pixels just outside the rectangle.
void draw_border(Image& image, int x, int y, int width, int height, int thickness, Color color);
/// Copies `picture` (gray or RGB) with its upper left corner at (x, y).
void draw_image(Image& image, int x, int y, const Image& picture);
/// Mixes every pixel with `color`: 0 leaves the picture, 1 leaves the colour.
Image mixed(const Image& picture, Color color, float amount);

}  // namespace stl
