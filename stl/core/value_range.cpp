#include "stl/core/value_range.h"

#include <fmt/format.h>

#include <cmath>

namespace stl {

Json ValueRange::to_json() const {
    return Json::array({low, high});
}

std::optional<ValueRange> ValueRange::from_json(const Json& value) {
    if (!value.is_array() || value.size() != 2 || !value[0].is_number() || !value[1].is_number())
        return std::nullopt;
    const ValueRange range{value[0].get<double>(), value[1].get<double>()};
    if (!std::isfinite(range.low) || !std::isfinite(range.high) || !(range.low < range.high))
        return std::nullopt;
    return range;
}

std::optional<ValueRange> other_than_unit(const std::optional<ValueRange>& range) {
    return range && !range->is_unit() ? range : std::nullopt;
}

std::string to_string(const ValueRange& range) {
    return fmt::format("{:.6g} to {:.6g}", range.low, range.high);
}

}  // namespace stl
