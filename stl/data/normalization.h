// The mean and standard deviation that convert stored values to the network's: network = (stored - mean) /
// std.
//
// As in the reference, the loss is computed on the network's values; metrics, predictions and pictures are in the
// stored range. Only stl/run/normalizer.h converts; everywhere else, sequences keep their stored values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/formats/sequences.h"

namespace stl {

struct Normalization {
    std::vector<double> mean, deviation;  ///< one for all channels, or one for each; empty: no normalisation

    bool empty() const { return mean.empty(); }
    bool operator==(const Normalization&) const = default;

    /// The keys `mean` and `std`: numbers, or a list with one per channel. Nullopt if both are absent. Error:
    /// one without the other, lists of different lengths, a standard deviation that is not positive.
    static std::optional<Normalization> from_json(const Json& object, const std::string& where);
    /// Sets both keys, or neither if empty.
    void add_to(Json& object) const;
    /// Error unless there is one value, or as many as channels.
    void check_channels(std::int64_t channels, const std::string& where) const;
};

/// The normalisation that a file states: its attributes `mean` and `std`, or else the one that maps its range to 0 and
/// 1.
Normalization stored_normalization(const SequenceInfo& info, const std::string& where);

}  // namespace stl
