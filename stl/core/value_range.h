// The values that stand for black and white.
#pragma once

#include <optional>
#include <string>

#include "stl/core/json.h"

namespace stl {

struct ValueRange {
    double low = 0, high = 1;

    double width() const { return high - low; }
    /// 0 to 1, in which networks compute and pictures are held.
    bool is_unit() const { return low == 0 && high == 1; }
    bool operator==(const ValueRange&) const = default;

    /// [low, high]
    Json to_json() const;
    /// Nullopt: not two finite numbers, the second one larger.
    static std::optional<ValueRange> from_json(const Json& value);
};

/// The range where it is known and not 0 to 1: values have to be scaled then.
std::optional<ValueRange> other_than_unit(const std::optional<ValueRange>& range);

/// "0 to 65535"
std::string to_string(const ValueRange& range);

}  // namespace stl
