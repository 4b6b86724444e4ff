// PNG pictures, read and written with libpng.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "stl/core/file.h"
#include "stl/media/image.h"

namespace stl {

/// 8 bits a channel, 1 to 4 channels as in the file (palettes become RGB, 16 bits are rounded to 8). Error if
/// the file is not a PNG, is damaged or truncated, or holds more than `max_pixels`.
Image read_png(const fs::path& path, std::int64_t max_pixels = default_max_pixels);

/// The file's bytes. The same picture gives the same bytes.
std::string encode_png(const Image& image);
/// Atomically.
void write_png(const fs::path& path, const Image& image, bool replace = true);

}  // namespace stl
