// What the cells of all forms of a report have in common. For the files of this folder alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "stl/core/error.h"

namespace stl {

/// Small sums need more digits: 0.3106 beside 25.57.
inline std::string shown(double value, int digits) {
    return fmt::format("{:.{}f}", value, std::abs(value) < 1 ? std::max(digits, 4) : digits);
}

}  // namespace stl
