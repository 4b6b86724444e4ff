// Single frames as pictures: values [C,H,W] float to RGB, and errors through the colour map.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "stl/formats/sequences.h"
#include "stl/media/image.h"

namespace stl {

/// How values become brightness. One channel shows gray, three show RGB; of any other number one channel
/// shows.
struct Brightness {
    float low = 0, high = 1;
    int channel = 0;  ///< where there are not 1 or 3
};

/// One frame [C,H,W].
Image frame_tile(std::span<const float> frame, const SequenceShape& shape, const Brightness& range);

/// |a - b|, mean over the channels, in units of high - low; `top` is the end of the colour map.
Image error_tile(std::span<const float> a, std::span<const float> b, const SequenceShape& shape,
                 const Brightness& range, float top);

/// A readable end for the colour map: about the 99.5th percentile of the non-zero errors, rounded up to 1, 2
/// or 5 times a power of ten, at most 1.
class ErrorScale {
  public:
    void add(std::span<const float> a, std::span<const float> b, const Brightness& range);
    float top() const;

  private:
    std::array<std::int64_t, 1001> counts_{};
};

}  // namespace stl
