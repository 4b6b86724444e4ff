#include "stl/media/media_info.h"

#include "stl/core/error.h"
#include "stl/media/ffmpeg.h"

namespace stl {

std::string ffmpeg_version() {
    const unsigned v = avcodec_version();
    return fmt::format("libavcodec {}.{}.{} (FFmpeg {})", v >> 16, v >> 8 & 0xFFU, v & 0xFFU,
                       av_version_info());
}

}  // namespace stl
