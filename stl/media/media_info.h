// What the FFmpeg libraries of this machine can do, for `stl doctor`.
#pragma once

#include <string>
#include <vector>

namespace stl {

/// Of the libraries at run time: "libavcodec 59.37.100 (FFmpeg 5.1.9)".
std::string ffmpeg_version();

struct OutputFormat {
    std::string extension;  ///< ".mp4"
    std::string encoder;    ///< "libx264"; empty: this FFmpeg has none for it
};
/// The kinds of file that create_video() writes, with the encoder that each would use.
std::vector<OutputFormat> output_formats();

}  // namespace stl
