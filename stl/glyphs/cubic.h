// Bicubic scaling of 8-bit planes as OpenCV's cv2.resize(..., INTER_CUBIC) does it (Keys' kernel with a =
// -0.75, edges repeated, weights of 11 bits), so that backgrounds are those of the reference: the same bytes
// as OpenCV 4.8 on x86 for 32 -> 64. For other sizes, where the exact value lies next to a half, it may
// differ by one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stl {

/// `planes`: [n,side,side] -> [n,to,to].
std::vector<std::uint8_t> scale_cubic(std::span<const std::uint8_t> planes, std::int64_t side,
                                      std::int64_t to);

}  // namespace stl
