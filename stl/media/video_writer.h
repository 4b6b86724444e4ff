// Writes pictures as a video, by extension:
//   .mp4 .m4v .mov .mkv   H.264, yuv420p, BT.709, faststart: plays in browsers and phones
//                         (odd sizes are padded)
//   .webm                 VP9
//   .gif                  one palette for all frames, made from all of them (they wait on disk until then)
//   .apng                 lossless
//   no extension          a folder of frame_0000.png, ...
// The result appears under its name only at finish(), and the same pictures give the same bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stl/core/file.h"
#include "stl/media/image.h"

namespace stl {

struct VideoWriteOptions {
    double fps = 10;  ///< up to 1000; GIF can't show more than 50 and is slowed to that; folders have none
    double pixel_aspect = 1;  ///< width to height of a pixel, of .mp4, .webm and their like
    int quality = 70;         ///< 0-100, of .mp4 and .webm; 100 is as good as lossless
    bool force = false;       ///< replace what is there (of folders only those that this writer made)
};

class VideoWriter {
  public:
    virtual ~VideoWriter() = default;
    /// Gray or RGB; all frames have the size of the first. Error: another size, disk full.
    virtual void add(const Image& frame) = 0;
    /// Error if no frame was added.
    virtual void finish() = 0;
};

/// Error: unknown extension (the known ones are named), no encoder, too high a rate, an existing file without force.
std::unique_ptr<VideoWriter> create_video(const fs::path& path, const VideoWriteOptions& options = {});

/// ".mp4", ...: the names that create_video() knows, in the order in which they are to be offered.
std::vector<std::string> video_extensions();
/// True if create_video() knows the extension.
bool is_video_output(const fs::path& path);

struct OutputFormat {
    std::string extension;  ///< ".mp4"
    std::string encoder;    ///< "libx264"; empty: this FFmpeg has none for it
};
/// The kinds of file that create_video() writes, with the encoder that each would use.
std::vector<OutputFormat> output_formats();

}  // namespace stl
