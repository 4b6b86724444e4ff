// Opening a container with FFmpeg, with errors that name the file. Used by the sources of this folder alone.
#pragma once

#include <cstdint>

#include "stl/core/file.h"
#include "stl/media/ffmpeg.h"
#include "stl/media/input_file.h"

namespace stl {

/// `code` where it is not a failure of FFmpeg's. Error: not a video that can be read; Shortage.
int checked(int code, const fs::path& path);

/// The open container with what FFmpeg finds out about its streams. `file` and `complaints` must outlive it.
ffmpeg::Input open_container(InputFile& file, const fs::path& path, std::int64_t max_pixels,
                             ffmpeg::Complaints& complaints);

}  // namespace stl
