// Decisions and checks before a run's first step: precision, length, and whether it fits in memory.
#pragma once

#include <cstdint>

#include "stl/core/reporter.h"
#include "stl/data/dataset.h"
#include "stl/models/simvp.h"
#include "stl/run/experiment.h"

namespace stl {

/// `asked` with the precision that `device` actually computes in; a different one is reported to `reporter`.
TrainOptions as_computed(TrainOptions asked, torch::Device device, Reporter& reporter);

/// The experiment's schedule with its numbers of steps, for this many training `sequences`. Error: fewer sequences than
/// one batch; more steps than can be counted.
ScheduleOptions planned_schedule(const Experiment& experiment, std::int64_t sequences);

/// Error: the model, its optimizer and batches of `shape` ([T,C,H,W], input and target) cannot fit in memory.
/// On a CPU, the operating system kills a program that uses too much, so this is checked before the weights are set.
void require_room(const Experiment& experiment, const SimVPImpl& model, const SequenceShape& shape,
                  torch::Device device);

/// Loads the weights that train.init names, if it is set.
void load_initial_weights(SimVPImpl& model, const Experiment& experiment, Reporter& reporter);

/// Warns if there are fewer sequences than the experiment requests, and if a file has no split, so that its test
/// sequences are also trained on. validation: null for none.
void warn_about_data(const Experiment& experiment, const Dataset& training, const Dataset* validation,
                     Reporter& reporter);

}  // namespace stl
