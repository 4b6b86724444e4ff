// The training loop: from an experiment to a run folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "stl/core/reporter.h"
#include "stl/distributed/group.h"
#include "stl/metrics/metrics.h"
#include "stl/run/experiment.h"

namespace stl {

struct TrainRequest {
    Experiment experiment;
    fs::path run;         ///< the run's folder
    bool resume = false;  ///< continue the run if it exists, else start it
    bool force = false;   ///< replace an existing run
    std::string device = "auto";
    fs::path repeats{};  ///< a run that this one repeats: what differs is a warning each; empty: none
    bool detect_anomaly = false;  ///< look at every value and gradient (anomaly.h)
    double max_minutes = 0;       ///< stop after so long, saved; 0: no limit
    std::string command;          ///< for run.json
    /// The ranks that train together, all with the same request; null: this process alone. Rank 0 alone uses `run`.
    Group* group = nullptr;
};

struct TrainOutcome {
    std::int64_t steps = 0;  ///< done in total, over all calls
    std::int64_t total_steps = 0;
    double seconds = 0;                      ///< spent on all steps, over all calls
    bool interrupted = false;                ///< `stop` returned true
    bool out_of_patience = false;            ///< train.patience ended it
    bool validation_pending = false;         ///< stopped inside the validation of its last epoch
    std::optional<MetricValues> validation;  ///< the last one

    bool finished() const { return out_of_patience || (steps >= total_steps && !validation_pending); }
};

/// Trains until the schedule's end, the time limit or `stop`, which is asked in validation too (a resumed run
/// does the epoch's validation again), or until train.patience is at its end. Whatever ends it, the last good state is
/// saved. With a fixed number of
/// threads on a CPU, a run that was stopped and resumed gives the same losses, bit for bit.
///
/// If a run was interrupted before its first checkpoint, resuming starts it over; if its last checkpoint is damaged, it
/// continues from an earlier one. It warns in both cases.
///
/// With a group, every rank computes its part of each step, `stop` may say so on any, and the outcome is the same on all.
/// Failures that all ranks find are thrown on all (Group::failed_together()); after another, the others must be ended
/// (Group::abort()).
///
/// Errors: a run that exists (without resume or force), or that another process is training; a resumed run with
/// different settings; a loss that is not finite (names the step; the previous checkpoint is kept); out of memory
/// (names a batch size that fits; a model or a batch that is far too large is refused before anything is allocated).
TrainOutcome train(const TrainRequest& request, Reporter& reporter, const StopRequested& stop = {});

}  // namespace stl
