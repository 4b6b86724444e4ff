// Percentiles of values that come one row after the other, from an even sample of at most a million.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/value_range.h"

namespace stl {

class ValueSample {
  public:
    /// Of uint8 or float32 values (NaN and infinities are left out).
    explicit ValueSample(DType dtype) : dtype_(dtype) {}

    void add(std::span<const std::byte> values);
    /// The percentiles `share` and 1 - `share` (0 to 0.5). Nullopt: they are equal, or there are no values.
    std::optional<ValueRange> range(double share) const;

  private:
    DType dtype_;
    std::vector<float> kept_;
    std::size_t step_ = 1;  ///< every so many-th value is kept
    std::size_t skip_ = 0;  ///< values to come before the next one
};

}  // namespace stl
