// The losses of a run: read from the device as late as the log allows, checked, and written to the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stl/run/run_folder.h"
#include "stl/runtime/torch.h"
#include "stl/train/tensorboard.h"

namespace stl {

class LossLog {
  public:
    struct Settings {
        std::int64_t log_every = 10;
        std::int64_t batch_size = 1;
        std::int64_t steps_per_epoch = 1;
    };
    /// folder: null where another rank writes the log.
    LossLog(const RunFolder* folder, Settings settings);

    /// Continues after `step`; `epoch_sum` is the sum of this epoch's losses so far.
    void start_at(std::int64_t step, double epoch_sum);
    /// Adds the loss of step `step` (from 1). A `loss` on a GPU is not read before flush().
    void add(std::int64_t step, double lr, const torch::Tensor& loss);
    /// Reads what is pending and writes the lines that are due. Error naming the step whose loss is not
    /// finite.
    void flush();
    /// An epoch's line; the next epoch's sum starts at zero. "steps" (steps done so far; the lines of single
    /// steps have "step" instead) and "epoch" are added at the front of `line`.
    void end_epoch(Json line);

    bool due(std::int64_t step) const { return step % settings_.log_every == 0; }
    double last() const { return last_; }
    double epoch_sum() const { return epoch_sum_; }
    double sequences_per_second() const { return rate_; }

  private:
    struct Pending {
        std::int64_t step;
        double lr;
        torch::Tensor loss;
    };
    void write(std::int64_t step, double lr, double loss);
    void measure_rate();

    const RunFolder* folder_;
    Settings settings_;
    std::optional<TensorBoardWriter> events_;
    std::vector<Pending> pending_;
    double last_ = 0;
    double epoch_sum_ = 0;
    double rate_ = 0;
    std::int64_t last_step_ = 0;
    std::int64_t window_step_ = 0;
    std::chrono::steady_clock::time_point window_start_ = std::chrono::steady_clock::now();
};

/// The end of a message: "the previous checkpoint is kept: RUN/checkpoints/last.pth" or, if there is
/// none, "no checkpoint has been written yet". folder: null where another rank writes.
std::string what_stays(const RunFolder* folder);

/// The value to print: a NaN without a sign.
double shown(double value);

/// Throws "step 12: the loss is nan; ..." unless `loss` is finite.
void require_finite_loss(double loss, std::int64_t step, const RunFolder* folder);

}  // namespace stl
