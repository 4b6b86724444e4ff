// A trained network as its run or checkpoint has it, and what is recorded of it.
#pragma once

#include <cstdint>
#include <optional>

#include "stl/core/json.h"
#include "stl/core/reporter.h"
#include "stl/predict/predictor.h"

namespace stl {

struct TrainedNetwork {
    std::optional<RunFolder> run;  ///< nullopt: from a checkpoint file
    fs::path file;                 ///< the checkpoint
    SimVP network{nullptr};        ///< on the CPU, in evaluation mode, without gradients
    std::int64_t epoch = 0;        ///< epochs trained, as the checkpoint says
    double fps = 0;                ///< frames a second of the training data; 0: not known
    std::optional<ValueRange> range{};
    Json experiment;           ///< complete; null where the checkpoint does not tell
    fs::path experiment_file;  ///< that tells it
    Normalization normalization{};
};

/// Where and how it is to compute is not looked at. Error: nothing there, no checkpoint, weights that do not fit, a
/// configuration that must be asked for. reporter: told the checkpoint's notes.
TrainedNetwork load_trained(const PredictorOptions& options, Reporter& reporter);

}  // namespace stl
