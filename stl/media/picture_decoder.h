// One picture file (PNG, JPEG, TIFF, BMP, WebP, PGM, PPM) by FFmpeg's decoders, without the cost of probing a
// container. Used by the sources of this folder alone.
#pragma once

#include <cstdint>

#include "stl/core/file.h"
#include "stl/media/frame_scaler.h"

namespace stl {

/// Reads, decodes and scales. Error: no such file, not a picture, damaged, more than `max_pixels`.
Image decode_picture(const fs::path& path, FrameScaler& scaler, std::int64_t max_pixels);

}  // namespace stl
