// Which FFmpeg this machine has, for `stl doctor`.
#pragma once

#include <string>

namespace stl {

/// Of the libraries at run time: "libavcodec 59.37.100 (FFmpeg 5.1.9)".
std::string ffmpeg_version();

}  // namespace stl
