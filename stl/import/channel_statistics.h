// Mean and deviation of a sequence file's values while it is made, a channel at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/json.h"
#include "stl/core/value_range.h"
#include "stl/formats/sequences.h"

namespace stl {

class ChannelStatistics {
  public:
    /// Rows of `shape` as they are stored: uint8, or float32 (NaN and infinities are left out).
    ChannelStatistics(const SequenceShape& shape, DType dtype);

    /// One row [T,C,H,W].
    void add(std::span<const std::byte> row);
    /// All rows that another one has seen.
    void add(const ChannelStatistics& other);
    /// In the model's range (uint8 divided by 255): {"mean": [C], "std": [C]}; null before the first value.
    Json value() const;
    /// The lowest and the highest of floats; nullopt: there are none.
    std::optional<ValueRange> values() const;

  private:
    struct Sums {
        double sum = 0, squares = 0;
        std::int64_t count = 0;
        float lowest = std::numeric_limits<float>::infinity(), highest = -lowest;  ///< of floats
    };
    void add_bytes(Sums& sums, const std::byte* plane) const;
    void add_floats(Sums& sums, const std::byte* plane) const;

    SequenceShape shape_;
    DType dtype_;
    std::vector<Sums> channels_;
};

}  // namespace stl
