// Training sequences shown in other ways: cut out, mirrored, run backwards. All frames of a sequence alike,
// so that motion stays motion.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "stl/core/json.h"
#include "stl/formats/sequences.h"

namespace stl {

class Dataset;

/// The key `augment` of a data set, e.g. {"crop": [64, 64], "flip": "horizontal", "reverse": true}.
struct AugmentOptions {
    /// [H,W]: a part of the frame, at random in training; of other splits the middle, which is never mirrored
    /// or reversed.
    std::optional<std::array<std::int64_t, 2>> crop;
    bool horizontal = false;  ///< "flip": "horizontal", "vertical" or "both"; each with probability 1/2
    bool vertical = false;
    bool reverse = false;  ///< in time, with probability 1/2

    static AugmentOptions from_json(const Json& json, const std::string& where);
    Json to_json() const;
    /// What frames of `shape` become. Error: they are smaller than the part.
    SequenceShape apply(SequenceShape shape, const std::string& where) const;
};

/// `data` so shown; what happens to a sequence is a function of (seed, epoch, index).
std::unique_ptr<Dataset> augmented(std::unique_ptr<Dataset> data, const AugmentOptions& options, Split split,
                                   std::uint64_t seed, const std::string& where);

}  // namespace stl
