// What is settled before a run's first step: how it is computed, how long it is, whether there is room for it.
#pragma once

#include <cstdint>

#include "stl/core/reporter.h"
#include "stl/data/dataset.h"
#include "stl/models/simvp.h"
#include "stl/run/experiment.h"

namespace stl {

/// `asked` as `device` computes it; `reporter` is told of another precision.
TrainOptions as_computed(TrainOptions asked, torch::Device device, Reporter& reporter);

/// The experiment's schedule with its counts of steps, for so many training sequences. Error: less than a
/// batch of them; more steps than can be counted.
ScheduleOptions planned_schedule(const Experiment& experiment, std::int64_t sequences);

/// Error: the model, its optimizer and batches of `shape` ([T,C,H,W], input and target) cannot fit in memory.
/// On a CPU the kernel ends a program that takes too much, so this is asked while the weights are unset.
void require_room(const Experiment& experiment, const SimVPImpl& model, const SequenceShape& shape,
                  torch::Device device);

/// Those of train.init, where it is set.
void load_initial_weights(SimVPImpl& model, const Experiment& experiment, Reporter& reporter);

/// Warns of fewer sequences than the experiment asks for, and of a file without a split, whose test sequences are
/// trained on. validation: null for none.
void warn_about_data(const Experiment& experiment, const Dataset& training, const Dataset* validation,
                     Reporter& reporter);

}  // namespace stl
