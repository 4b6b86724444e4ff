// An experiment: data set, model and training settings, read strictly from a JSON file (docs/experiments.md).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/data/dataset.h"
#include "stl/models/simvp.h"
#include "stl/run/optimizer.h"
#include "stl/run/schedule.h"
#include "stl/runtime/precision.h"

namespace stl {

/// The `train` object. Optimizer and schedule settings have the reference's defaults.
struct TrainOptions {
    std::int64_t epochs = 200;
    std::optional<std::int64_t> steps;  ///< instead of epochs
    std::int64_t batch_size = 16;
    std::uint64_t seed = 1;
    Precision precision = Precision::fp32;
    std::string init;                     ///< a checkpoint whose weights the run starts from
    bool shuffle = true;                  ///< false keeps the stored order
    double alpha = 0.0;                   ///< weight of TAU's differential-divergence term
    double clip_norm = 0.0;               ///< largest common norm of the gradients; 0: not clipped
    std::int64_t save_every = 0;          ///< steps between checkpoints inside an epoch; 0: at its end only
    double save_minutes = 0.0;            ///< likewise minutes; 0: not by time
    std::int64_t keep = 2;                ///< last checkpoints that stay: last.pth, last.1.pth, ...
    std::int64_t log_every = 10;          ///< steps between lines of metrics.jsonl
    int threads = 0;                      ///< 0: all cores
    bool checkpoint_activations = false;  ///< layers/recompute.h: less memory, more time, the same numbers
    OptimizerOptions optimizer;
    ScheduleOptions schedule;  ///< its counts of steps are set by the trainer
};

/// Where each key was read: "train.lr" -> "base.json: train.lr", or "--set train.lr=-1".
using Origins = std::map<std::string, std::string>;

struct Experiment {
    std::string file;  ///< where it was read, for messages
    Origins origins;   ///< of keys that came from elsewhere too
    DatasetOptions dataset;
    Json model;  ///< checked once the data set's frame size is known: model_for()
    TrainOptions train;

    /// The model for sequences of `shape` (input frames from the data set's options). Error: a model whose
    /// in_shape or output_frames are stated, and others.
    SimVPOptions model_for(const SequenceShape& shape) const;
    /// "mmnist-moganet"
    std::string default_run_name() const;
    /// The `train` object, complete.
    Json train_json() const;
    /// A message about a key, "<file>: train.lr: ...", as one about the place that the key came from.
    std::string at_origin(const std::string& message) const;
};

/// One "key=value" of --set: a path as in train.lr, and a JSON value (or, failing that, a string).
/// UsageError if there is no '='.
struct Setting {
    std::string key;
    Json value;
    std::string text{};  ///< as it was given, for messages: "--set train.lr=0.01"
};
Setting parse_setting(const std::string& text);

/// The file's JSON with its "base" files under it and `settings` over it. Base paths are relative to the
/// file. `origins`, where given, is told where each key came from.
Json read_experiment_json(const fs::path& path, const std::vector<Setting>& settings = {},
                          Origins* origins = nullptr);
/// Strict: an unknown key, a wrong type or an impossible value is an Error that names it.
Experiment load_experiment(const fs::path& path, const std::vector<Setting>& settings = {});
Experiment parse_experiment(const Json& json, const std::string& where, Origins origins = {});

}  // namespace stl
