// Augmentation of training sequences: cropped, mirrored, reversed in time. All frames of a sequence are changed in the
// same way, so that their motion stays consistent.
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
    /// [H,W] of a crop: at a random place in training, in the middle for the other splits, which are never mirrored
    /// or reversed.
    std::optional<std::array<std::int64_t, 2>> crop;
    bool horizontal = false;  ///< "flip": "horizontal", "vertical" or "both"; each with probability 1/2
    bool vertical = false;
    bool reverse = false;  ///< in time, with probability 1/2

    static AugmentOptions from_json(const Json& json, const std::string& where);
    Json to_json() const;
    /// The shape of augmented frames. Error: frames of `shape` are smaller than the crop.
    SequenceShape apply(SequenceShape shape, const std::string& where) const;
};

/// `data`, augmented; how a sequence is changed depends only on (seed, epoch, index).
std::unique_ptr<Dataset> augmented(std::unique_ptr<Dataset> data, const AugmentOptions& options, Split split,
                                   std::uint64_t seed, const std::string& where);

}  // namespace stl
