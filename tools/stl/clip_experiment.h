// The experiment of `stl train --data`: a network for somebody's own sequences, without an experiment file.
#pragma once

#include <string>

#include "stl/core/external_files.h"
#include "stl/core/reporter.h"
#include "stl/formats/data_file.h"
#include "stl/run/experiment.h"

namespace stl::tools {

struct ClipTraining {
    DataFile data;
    std::string
        scale{};  ///< small, medium or large; empty: the largest for so many sequences that trains in about an hour
    std::string layout{};  ///< of an array, where its shape does not tell
    std::string device = "auto";
    ExternalFiles external{};
};

/// Half of the stored frames are input, half output; as many epochs as show some ten thousand sequences. The scale is
/// chosen by timing steps of the small network on the device; a line reports what was chosen. Error: sequences of one
/// frame, no training sequences.
Experiment clip_experiment(const ClipTraining& training, const std::vector<Setting>& settings,
                           Reporter& reporter);

}  // namespace stl::tools
