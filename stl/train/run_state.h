// What a run saves and takes up again: weights, optimizer, random numbers, and how far it has come.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/clock.h"
#include "stl/core/json.h"
#include "stl/core/reporter.h"
#include "stl/models/simvp.h"
#include "stl/run/optimizer.h"
#include "stl/run/run_folder.h"
#include "stl/run/schedule.h"
#include "stl/runtime/torch.h"

namespace stl {

/// How far a run has come; its checkpoints keep it under "stl".
struct Standing {
    std::int64_t step = 0;  ///< steps done
    double epoch_sum = 0;   ///< of the losses of the epoch that is under way
    double seconds = 0;     ///< of all steps
    double best_loss = std::numeric_limits<double>::infinity();
    bool validation_pending = false;  ///< of the epoch that `step` ends
};

struct RunState {
    const Clock::time_point started = Clock::now();
    Clock::time_point saved = started;  ///< the last checkpoint
    torch::Device device = torch::kCPU;
    ScheduleOptions schedule{};
    SimVP model{nullptr};
    std::unique_ptr<Optimizer> optimizer{};
    Json record{};                 ///< what every checkpoint tells under "stl" beside the standing
    Standing now{};                ///< but for `seconds`: of the calls before this one
    bool last_is_damaged = false;  ///< or missing: an earlier checkpoint was taken

    /// Of all steps, this call's included.
    double seconds() const { return now.seconds + seconds_since(started); }

    /// Goes on from the run's newest checkpoint, exactly; warns where numbers start over or steps are lost. False: there
    /// is none, and the run may start over. Error: it may not; a checkpoint that is another run's, or tells too little.
    bool restore(const RunFolder& folder, Reporter& reporter);
    /// Error: weights that are not finite.
    void save_best(const RunFolder& folder) const;
    /// As the newest of `keep`.
    void save_last(const RunFolder& folder, std::int64_t keep);

  private:
    Checkpoint checkpoint(const RunFolder& folder) const;
};

}  // namespace stl
