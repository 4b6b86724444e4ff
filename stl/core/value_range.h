// The values that stand for black and white.
#pragma once

#include <optional>
#include <string>

#include "stl/core/json.h"

namespace stl {

struct ValueRange {
    double low = 0, high = 1;

    double width() const { return high - low; }
    /// Whether it is 0 to 1, the range in which networks compute and pictures are stored.
    bool is_unit() const { return low == 0 && high == 1; }
    bool operator==(const ValueRange&) const = default;

    /// [low, high]
    Json to_json() const;
    /// Nullopt unless `value` is two finite numbers, the second one larger.
    static std::optional<ValueRange> from_json(const Json& value);
};

/// The range if it is known and not 0 to 1, i.e. if values have to be scaled; else nullopt.
std::optional<ValueRange> other_than_unit(const std::optional<ValueRange>& range);

/// "0 to 65535"
std::string to_string(const ValueRange& range);

}  // namespace stl
