// An experiment: data set, model and training settings, read strictly from a JSON file (docs/experiments.md).
//
// To add a setting of training:
//
//   1. in TrainOptions below, a member and its key() line, from which it is read, checked, written, listed and offered to
//      --set; changeable() if a run may be resumed with another value. A setting of the optimizer or the schedule stands
//      in run/optimizer.h or run/schedule.h.
//   2. its use: compute_gradients() in train/step.cpp for what changes the loss or the gradients, which the captured step
//      then has too; elsewhere in train/.
//   3. its row in docs/experiments.md, which a test demands.
//   4. if it deserves an option of its own, a line add_key_option() in tools/stl/train.cpp.
//
// A setting that changes the numbers is a std::optional that is off where it is unset: the runs of earlier versions lack
// it, and can then still be resumed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/core/options.h"
#include "stl/data/dataset.h"
#include "stl/models/simvp.h"
#include "stl/run/optimizer.h"
#include "stl/run/schedule.h"
#include "stl/runtime/precision.h"

namespace stl {

/// The `train` object. Optimizer and schedule settings have the reference's defaults.
struct TrainOptions {
    std::int64_t epochs = 200;
    std::optional<std::int64_t> steps;
    std::int64_t batch_size = 16;
    // Optional, here and below: experiments of earlier versions go on without them.
    std::optional<std::int64_t> batch_per_device;
    std::optional<std::int64_t> accumulate;
    std::optional<bool> sync_batchnorm;
    std::uint64_t seed = 1;
    Precision precision = Precision::fp32;
    std::optional<std::string> init;
    bool shuffle = true;
    double alpha = 0.0;
    double clip_norm = 0.0;
    std::optional<double> ema;
    std::optional<std::int64_t> patience;
    std::int64_t save_every = 0;
    double save_minutes = 0.0;
    std::int64_t keep = 2;
    std::int64_t log_every = 10;
    int threads = 0;
    bool checkpoint_activations = false;
    OptimizerOptions optimizer;
    ScheduleOptions schedule;  ///< the trainer sets its numbers of steps

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("epochs", o.epochs, at_least(1), "length of the run, in epochs");
        key("steps", o.steps, at_least(1), "length of the run in steps, instead of epochs");
        key("batch_size", o.batch_size, at_least(1),
            "sequences per step, on all devices together; the last partial batch of an epoch is dropped");
        key("batch_per_device", o.batch_per_device, at_least(1),
            "sequences per step and device, instead of batch_size: more devices make a larger batch");
        key("accumulate", o.accumulate, at_least(1),
            "compute each device's batch in so many parts, one after the other, and add up their gradients: "
            "less memory, the same sum");
        key("sync_batchnorm", o.sync_batchnorm, Rule{},
            "batch norm with the statistics of all devices' sequences instead of each device's own");
        OptimizerOptions::each(o.optimizer, key);
        ScheduleOptions::each(o.schedule, key);
        key("precision", o.precision, one_of(training_precisions),
            "bf16: mixed precision; tf32: on GPUs only");
        key("seed", o.seed, at_least(0), "seed of the weights, the data and their order");
        key("init", o.init, Rule{},
            "a checkpoint or a run (its last checkpoint) to start from, taking only its weights");
        key("shuffle", o.shuffle, Rule{},
            "shuffle the training sequences of every epoch; false: keep the stored order");
        key("alpha", o.alpha, not_negative(), "weight of TAU's differential-divergence term");
        key("clip_norm", o.clip_norm, not_negative(), "largest global norm of the gradients; 0: no clipping");
        key("ema", o.ema, fraction(),
            "decay of an average of the weights, which is evaluated and saved beside them (0.999); unset: "
            "none");
        key("patience", o.patience, changeable(at_least(1)),
            "stop after so many validations without a smaller loss; unset: never");
        key("save_every", o.save_every, changeable(at_least(0)),
            "steps between checkpoints inside an epoch; 0: none");
        key("save_minutes", o.save_minutes, changeable(not_negative()),
            "minutes between checkpoints inside an epoch; 0: none by time");
        key("keep", o.keep, changeable(at_least(1)),
            "number of most recent checkpoints to keep: last.pth, last.1.pth, ...");
        key("log_every", o.log_every, changeable(at_least(1)), "steps between lines of metrics.jsonl");
        key("threads", o.threads, changeable(between(0, 4096)),
            "CPU threads; 0: all cores that the process may use");
        key("checkpoint_activations", o.checkpoint_activations, changeable(Rule{}),
            "recompute activations in the backward pass instead of storing them: less memory, more time");
    }
};

/// Maps each key to the place it was read from: "train.lr" -> "base.json: train.lr", or "--set train.lr=-1".
using Origins = std::map<std::string, std::string>;

struct Experiment {
    std::string file;  ///< the file it was read from, for messages
    Origins origins;   ///< of all keys, also those from base files and --set
    DatasetOptions dataset;
    SimVPOptions model;  ///< without the data set's frame size, which model_for() adds
    Json stated_shape;   ///< the model's in_shape; null: not stated
    TrainOptions train;

    /// The model for sequences of `shape` (input frames from the data set's options). Error: the model states an
    /// in_shape or output_frames that differ from the data set's.
    SimVPOptions model_for(const SequenceShape& shape) const;
    /// "mmnist-moganet"
    std::string default_run_name() const;
    /// Replaces the file in a message about a key, "<file>: train.lr: ...", by the place that the key came from.
    std::string at_origin(const std::string& message) const;
};

/// One "key=value" of --set: a path as in train.lr, and a JSON value (or, failing that, a string).
/// UsageError if there is no '='.
struct Setting {
    std::string key;
    Json value;
    std::string text{};  ///< as given on the command line, for messages: "--set train.lr=0.01"
};
Setting parse_setting(const std::string& text);

/// The file's JSON merged over its "base" files, with `settings` merged over it. Base paths are relative to the
/// file. `origins`, if given, receives the place that each key came from.
Json read_experiment_json(const fs::path& path, const std::vector<Setting>& settings = {},
                          Origins* origins = nullptr);
/// Strict: an unknown key, a wrong type or an impossible value is an Error that names it.
Experiment load_experiment(const fs::path& path, const std::vector<Setting>& settings = {});
Experiment parse_experiment(const Json& json, const std::string& where, Origins origins = {});
/// The same of an experiment that no file holds, with `settings` over it.
Experiment experiment_of(Json json, const std::string& where, const std::vector<Setting>& settings);

}  // namespace stl
