// 16-bit numbers of which a camera fills only a few bits.
#pragma once

#include <optional>
#include <string>

#include "stl/core/value_range.h"

namespace stl {

inline constexpr double white_of_16_bits = 65535;

/// What to say of values from `low` to `high` if they fill a small part of the range of 16 bits, as those of cameras with 10,
/// 12 or 14 bits do: "values reach 4095 of 65535, as of a camera of 12 bits: ..."; else "".
std::string few_bits(double low, double high, const std::optional<ValueRange>& range);

}  // namespace stl
