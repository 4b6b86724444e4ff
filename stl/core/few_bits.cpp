#include "stl/core/few_bits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stl {

std::string few_bits(double low, double high, const std::optional<ValueRange>& range) {
    constexpr double fourteen_bits = 16383;
    if (!range || range->high != white_of_16_bits || low < 0 || !(high <= fourteen_bits)) return "";
    const int bits = std::max(1, static_cast<int>(std::ceil(std::log2(high + 1))));
    const int white = (1 << bits) - 1;
    return fmt::format(
        "values reach {:g} of 65535, as of a camera of {} bits: everything is nearly black; stl import "
        "--range 0,{} makes {} white",
        high, bits, white, white);
}

}  // namespace stl
