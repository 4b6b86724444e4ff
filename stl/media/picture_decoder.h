// One picture file (PNG, JPEG, TIFF, BMP, WebP, PGM, PPM, ...) by FFmpeg's decoders, without the cost of probing a
// container; and the pages of a TIFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "stl/core/file.h"
#include "stl/media/fit.h"
#include "stl/media/image.h"

struct AVPacket;

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

/// The pages of a TIFF, as a film. Memory: the file.
class TiffPages {
  public:
    /// Error: no such file, pages that FFmpeg can't give.
    explicit TiffPages(const fs::path& path);

    std::size_t count() const { return pages_.size(); }
    /// From any thread. Error: damaged, too large.
    DecodedPicture decode(std::size_t index, const PictureForm& form) const;

  private:
    fs::path path_;
    std::vector<std::uint32_t> pages_;  ///< where their directories are
    bool little_endian_ = true;
    mutable std::mutex decoding_;
    std::shared_ptr<AVPacket> file_;  ///< whose header names the directory of the page that is decoded
};

}  // namespace stl
