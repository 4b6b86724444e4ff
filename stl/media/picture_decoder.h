// One picture file (PNG, JPEG, TIFF, BMP, WebP, PGM, PPM) by FFmpeg's decoders, without the cost of probing a
// container. Used by the sources of this folder and by the layouts of stl/import.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stl/core/file.h"
#include "stl/media/frame_scaler.h"

namespace stl {

/// Reads, decodes and scales. Error: no such file, not a picture, damaged, more than `max_pixels`.
Image decode_picture(const fs::path& path, FrameScaler& scaler, std::int64_t max_pixels);
/// The same of the file's bytes, wherever they come from; `path` is for messages.
Image decode_picture(std::span<const std::byte> file, const fs::path& path, FrameScaler& scaler,
                     std::int64_t max_pixels);

}  // namespace stl
