// One picture file (PNG, JPEG, TIFF, BMP, WebP, PGM, PPM, ...), without the cost of probing a container: by FFmpeg's
// decoders, TIFF by libtiff (tiff_pages.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stl/core/file.h"
#include "stl/media/ffmpeg.h"
#include "stl/media/fit.h"
#include "stl/media/image.h"

namespace stl {

/// What a picture file becomes.
struct PictureForm {
    int height = 0, width = 0;  ///< 0: its own, turned upright
    int channels = 3;           ///< 1 or 3
    bool deep = false;          ///< VideoOptions::deep
    Fit fit = Fit::stretch;
    std::int64_t max_pixels = default_max_pixels;  ///< larger ones are refused
};

struct DecodedPicture {
    Picture picture;
    int file_height, file_width;  ///< as stored
};

/// Reads, decodes and scales. Error: no such file, not a picture, several pictures, damaged, too large.
DecodedPicture decode_picture(const fs::path& path, const PictureForm& form);
/// The same of the file's bytes, wherever they come from; `path` is for messages.
DecodedPicture decode_picture(std::span<const std::byte> file, const fs::path& path, const PictureForm& form);

/// The same by FFmpeg's decoder `id`, of a whole file.
DecodedPicture decode_packet(const AVPacket& file, AVCodecID id, const fs::path& path,
                             const PictureForm& form);

}  // namespace stl
