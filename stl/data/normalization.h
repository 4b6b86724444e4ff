// Mean and deviation by which a network's values differ from the stored ones: network = (stored - mean) /
// std.
//
// As in the reference, the loss is that of the network's values; metrics, predictions and pictures are in the
// stored range. Sequences stay as stored everywhere outside the network's neighbourhood
// (stl/run/normalizer.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/formats/sequences.h"

namespace stl {

struct Normalization {
    std::vector<double> mean, deviation;  ///< one for all channels, or one for each; empty: nothing is done

    bool empty() const { return mean.empty(); }
    bool operator==(const Normalization&) const = default;

    /// The keys `mean` and `std`: numbers, or a list for the channels. Nullopt where neither is there. Error:
    /// one without the other, lists of different lengths, a deviation that is not positive.
    static std::optional<Normalization> from_json(const Json& object, const std::string& where);
    /// Sets both keys; none where empty.
    void add_to(Json& object) const;
    /// Error unless there is one value, or as many as channels.
    void check_channels(std::int64_t channels, const std::string& where) const;
};

/// What a file says of its sequences: its attributes `mean` and `std`, or else what brings its range to 0 and 1.
Normalization stored_normalization(const SequenceInfo& info, const std::string& where);

}  // namespace stl
