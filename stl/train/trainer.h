// The training loop: from an experiment to a run folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "stl/core/reporter.h"
#include "stl/metrics/metrics.h"
#include "stl/run/experiment.h"

namespace stl {

struct TrainRequest {
    Experiment experiment;
    fs::path run;         ///< the run's folder
    bool resume = false;  ///< go on with the run if there is one, else start it
    bool force = false;   ///< replace what is there
    std::string device = "auto";
    double max_minutes = 0;  ///< stop after so long, saved; 0: no limit
    std::string command;     ///< for run.json
};

struct TrainOutcome {
    std::int64_t steps = 0;  ///< done in all
    std::int64_t total_steps = 0;
    double seconds = 0;                      ///< of all steps, whichever call did them
    bool interrupted = false;                ///< `stop` asked for it
    bool validation_pending = false;         ///< stopped inside the validation of its last epoch
    std::optional<MetricValues> validation;  ///< the last one

    bool finished() const { return steps >= total_steps && !validation_pending; }
};

/// Trains until the schedule's end, the time limit or `stop`, which is asked in validation too (a resumed run
/// does the epoch's validation again). Whatever ends it, the last good state is saved. With a fixed number of
/// threads on a CPU, a run that was stopped and resumed gives the same losses, bit for bit.
///
/// A run that resumes starts over where it was interrupted before its first checkpoint, and goes on from an earlier one
/// where the last is damaged; it warns of either.
///
/// Errors: a run that exists (without resume or force), or that another process trains; a resumed run with
/// other settings; a loss that is not finite (names the step; the checkpoint before it stays); out of memory
/// (names a batch size that fits; a model or a batch far too large is refused before it is made).
TrainOutcome train(const TrainRequest& request, Reporter& reporter, const StopRequested& stop = {});

}  // namespace stl
