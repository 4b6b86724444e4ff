#include "stl/formats/packing.h"

#include <algorithm>
#include <limits>

namespace stl {

void Packing::unpack(std::span<float> values) const {
    constexpr auto none = std::numeric_limits<float>::quiet_NaN();
    for (const float stored : missing) std::ranges::replace(values, stored, none);
    if (!scaled()) return;
    for (auto& value : values) value = static_cast<float>(value * scale + offset);
}

}  // namespace stl
