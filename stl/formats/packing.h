// What attributes say of stored numbers, by the conventions of weather and satellite data (CF): `scale_factor` and
// `add_offset`, `_FillValue` and `missing_value`.
#pragma once

#include <span>
#include <vector>

namespace stl {

struct Packing {
    double scale = 1, offset = 0;
    std::vector<float> missing{};  ///< stored values that stand for none

    bool scaled() const { return scale != 1 || offset != 0; }
    /// Stored values to those they stand for; missing ones become NaN.
    void unpack(std::span<float> values) const;
};

}  // namespace stl
