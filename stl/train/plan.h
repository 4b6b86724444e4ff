// Decisions and checks before a run's first step: precision, length, and whether it fits in memory.
#pragma once

#include <cstdint>
#include <string>

#include "stl/core/clock.h"
#include "stl/core/cpu_time.h"
#include "stl/core/reporter.h"
#include "stl/data/dataset.h"
#include "stl/models/simvp.h"
#include "stl/run/experiment.h"

namespace stl {

/// `asked` with the precision that `device` actually computes in; a different one is reported to `reporter`.
TrainOptions as_computed(TrainOptions asked, torch::Device device, Reporter& reporter);

/// How a step's sequences are divided among devices and computed.
struct StepParts {
    std::int64_t batch = 1;    ///< of the whole step
    std::int64_t devices = 1;  ///< each computes as many of them
    std::int64_t parts = 1;    ///< in so many parts, one after the other (train.accumulate)

    std::int64_t per_device() const { return batch / devices; }
    std::int64_t at_once() const { return (per_device() + parts - 1) / parts; }
};
/// Error: a batch that cannot be divided so.
StepParts step_parts(const Experiment& experiment, std::int64_t devices);

/// The experiment's schedule with its numbers of steps, for this many training `sequences` in steps of `batch`. Error:
/// fewer sequences than one batch; more steps than can be counted.
ScheduleOptions planned_schedule(const Experiment& experiment, std::int64_t sequences, std::int64_t batch);

/// Error: the model, its optimizer and batches of `shape` ([T,C,H,W], input and target) cannot fit in memory.
/// On a CPU, the operating system kills a program that uses too much, so this is checked before the weights are set.
void require_room(const Experiment& experiment, const SimVPImpl& model, const SequenceShape& shape,
                  const StepParts& parts, torch::Device device);

/// Loads the weights that train.init names, if it is set.
void load_initial_weights(SimVPImpl& model, const Experiment& experiment, Reporter& reporter);

/// Warns if there are fewer sequences than the experiment requests, and if a file has no split, so that its test
/// sequences are also trained on. validation: null for none.
void warn_about_data(const Experiment& experiment, const Dataset& training, const Dataset* validation,
                     Reporter& reporter);

/// The lines at the beginning of every training: data, splits, parameters, device, precision, length.
void tell_plan(const Experiment& experiment, const Dataset& training, const Dataset* validation,
               const SimVPImpl& model, const ScheduleOptions& schedule, const TrainOptions& computed,
               const StepParts& parts, torch::Device device, Reporter& reporter);

/// "25 min", "3 h 20 min", "90 days"
std::string time_text(double seconds);

/// Tells once, after a few steps, how long the rest takes at their pace, with the share of the cores' time that the
/// process got of them if other programs took much, and warns of more than a day.
class TimeToTheEnd {
  public:
    explicit TimeToTheEnd(std::int64_t total_steps) : total_steps_(total_steps) {}
    /// After step `step` of the run.
    void note(std::int64_t step, torch::Device device, Reporter& reporter);

  private:
    static constexpr int steps_to_measure = 3;
    std::int64_t total_steps_;
    int noted_ = 0;
    Clock::time_point second_;  ///< the first step prepares memory
    CpuTime before_;            ///< at the same time
};

/// Warns once when, for some time, other programs or a quota leave a training on the CPU less than 60 % of the time that
/// its threads could use.
class BusyMachine {
  public:
    /// After each step.
    void note(torch::Device device, Reporter& reporter);
    /// The warning; "" where the threads get enough.
    static std::string warning(double share, int threads);

  private:
    static constexpr double seconds_to_measure = 20;
    Clock::time_point since_ = Clock::now();
    CpuTime before_ = cpu_time();
    bool warned_ = false;
};

}  // namespace stl
