// Whether another film was appended to a file, which players and FFmpeg stop before. Used by this folder alone.
#pragma once

#include <cstdint>

#include "stl/core/file.h"

namespace stl {

struct SecondFilm {
    std::int64_t bytes = 0;  ///< from its beginning to the end of an MP4 or GIF file; 0: there is none
    std::int64_t frames_before = 0;  ///< of a GIF's first film
};
SecondFilm second_film(const fs::path& path);

}  // namespace stl
