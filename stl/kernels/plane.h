// A picture with room around it, so that no filter has to look where the edge is.
#pragma once

#include <cstddef>

#include "stl/kernels/kernels.h"

namespace stl::kernels {

/// A picture [height, width, channels] with zeros around: `border` pixels left and above, border + spare
/// right and below.
struct Plane {
    float* data = nullptr;  ///< the corner of the border
    int height = 0, width = 0, channels = 0, border = 0;
    int spare = winograd_tile - 1;  ///< the last tile may reach over the edge

    Index line() const { return Index{width + 2 * border + spare} * channels; }
    float* at(int y, int x) const { return data + (y + border) * line() + Index{x + border} * channels; }
    std::size_t floats() const { return static_cast<std::size_t>((height + 2 * border + spare) * line()); }
};

}  // namespace stl::kernels
