// Whether another film was appended to a file, which players and FFmpeg stop before. Used by this folder alone.
#pragma once

#include <cstdint>

#include "stl/core/file.h"

namespace stl {

/// The bytes from the beginning of a second film to the end of an MP4 or GIF file; 0: there is none.
std::int64_t bytes_of_second_film(const fs::path& path);

}  // namespace stl
