// What is in a file of sequences: numbers that show at a glance whether it is what it should be.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "stl/core/reporter.h"
#include "stl/core/value_range.h"
#include "stl/formats/sequences.h"

namespace stl {

/// Values are in the model's range (uint8 divided by 255).
struct SequenceStatistics {
    std::int64_t rows = 0;  ///< looked at, evenly spread
    double mean = 0, deviation = 0, minimum = 0, maximum = 0;
    double motion = 0;            ///< mean absolute difference from frame to frame
    double still = 0;             ///< share of frames that equal the one before
    std::int64_t non_finite = 0;  ///< NaN and infinities, left out of the rest
};

/// Reads at most `rows` rows, one at a time.
SequenceStatistics measure(const SequenceReader& reader, std::int64_t rows, Reporter& reporter,
                           const StopRequested& stop = {});

/// Rows of each split; empty where the file marks none.
std::array<std::int64_t, 3> count_splits(const SequenceReader& reader);

}  // namespace stl
