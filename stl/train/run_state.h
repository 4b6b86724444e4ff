// The state that a run saves and restores: weights, optimizer, random numbers, and its progress.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/clock.h"
#include "stl/core/json.h"
#include "stl/core/reporter.h"
#include "stl/models/simvp.h"
#include "stl/run/optimizer.h"
#include "stl/run/run_folder.h"
#include "stl/run/schedule.h"
#include "stl/runtime/torch.h"
#include "stl/train/background.h"
#include "stl/train/weight_average.h"

namespace stl {

/// A run's progress, which its checkpoints store under "stl".
struct Standing {
    std::int64_t step = 0;  ///< steps done
    double epoch_sum = 0;   ///< sum of the losses of the current epoch
    double seconds = 0;     ///< time spent on all steps
    double best_loss = std::numeric_limits<double>::infinity();
    bool validation_pending = false;  ///< the epoch that ends with `step` still has to be validated
    std::int64_t since_best = 0;      ///< validations since the one with best_loss
};

struct RunState {
    const Clock::time_point started = Clock::now();
    Clock::time_point saved = started;  ///< the last checkpoint
    torch::Device device = torch::kCPU;
    ScheduleOptions schedule{};
    SimVP model{nullptr};
    std::unique_ptr<Optimizer> optimizer{};
    std::optional<WeightAverage> average{};
    Json record{};   ///< what every checkpoint stores under "stl" in addition to the progress
    Standing now{};  ///< `seconds` in it: of earlier calls only
    /// Random states of the ranks behind the first, saved and restored with the run; empty: one device.
    std::vector<torch::Tensor> rank_random{};
    bool last_is_damaged = false;  ///< or missing, so that an earlier checkpoint was restored
    Background background{};       ///< writes checkpoints into the folders given below, which must outlive it

    /// Time spent on all steps, including those of this call.
    double seconds() const { return now.seconds + seconds_since(started); }

    /// Restores the run's newest checkpoint exactly; warns if random numbers cannot be restored or steps are lost.
    /// False: there is none, and the run may start over. Error: there is none, and it may not; the checkpoint belongs
    /// to another run or is incomplete.
    bool restore(const RunFolder& folder, Reporter& reporter);
    /// The weights that the model has at the moment. They are copied, and written in the background. Error: they are
    /// not finite; what went wrong with a checkpoint before it.
    void save_best(RunFolder& folder);
    /// All that training needs to continue, as the newest of `keep`; written as save_best() does, with the same errors.
    void save_last(RunFolder& folder, std::int64_t keep);
    /// For checkpoints that are being written. Error: what went wrong with one.
    void wait_for_checkpoints() { background.wait(); }

  private:
    Checkpoint checkpoint(const RunFolder& folder) const;
    /// Has `write` write it, in the background where there is memory for a copy.
    void save(Checkpoint made, const std::function<void(const Checkpoint&)>& write);
};

}  // namespace stl
