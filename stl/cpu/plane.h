// A picture with room around it, so that no filter has to look where the edge is.
#pragma once

#include <cstddef>

#include "stl/cpu/kernels.h"
#include "stl/cpu/type.h"

namespace stl::cpu {

/// A picture [height, width, channels] with zeros around: `border` pixels left and above, border + spare
/// right and below.
struct Plane {
    float* data = nullptr;  ///< the corner of the border
    int height = 0, width = 0, channels = 0, border = 0;
    int spare = winograd_tile - 1;  ///< the last tile may reach over the edge
    Type stored = Type::float32;

    int lines() const { return height + 2 * border + spare; }
    int columns() const { return width + 2 * border + spare; }
    // Floats, or pairs, from one pixel and one line to the next, and in all.
    int pixel() const { return words_of(stored, channels); }
    Index line() const { return Index{columns()} * pixel(); }
    /// Up to a whole cache line: what is placed behind a plane is aligned as the plane is.
    std::size_t floats() const {
        constexpr std::size_t cache_line = 16;
        return (static_cast<std::size_t>(lines() * line()) + cache_line - 1) / cache_line * cache_line;
    }
    float* at(int y, int x) const { return data + (y + border) * line() + Index{x + border} * pixel(); }
};

}  // namespace stl::cpu
