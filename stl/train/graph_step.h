// A training step that is captured once and then launched as a whole: forward, loss, backward and update in
// one CUDA graph, with nothing left for the host to do between kernels.
//
// Everything that changes from step to step is in device memory that the graph reads: the batch in dedicated buffers,
// learning rate and beta1 in a tensor of two elements, random numbers through the graph's offset into the device's
// generator.
#pragma once

#include <memory>

#include "stl/core/reporter.h"
#include "stl/gpu/kernel_table.h"
#include "stl/train/step.h"

namespace stl {

/// Steps that run on the graph's stream before it is captured; they are ordinary training steps.
inline constexpr int graph_warm_up_steps = gpu::graph_warm_ups;

/// Runs as a graph every batch that has the first one's shape and comes without a `check`, and the others as plain
/// steps. If the step cannot be captured, it reports that once to `reporter` and runs plain steps from then on.
/// The optimizer must have a step_on_device(), which uses `kernels`. weights: as make_plain_step() has them.
std::unique_ptr<TrainStep> make_graph_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           const gpu::KernelTable& kernels, std::unique_ptr<gpu::Graph> graph,
                                           Reporter& reporter, WeightAverage* weights = nullptr);

/// The fastest step available for the model's device. On a GPU, it reports which one that is and why no faster one is
/// used.
std::unique_ptr<TrainStep> make_train_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           Reporter& reporter, WeightAverage* weights = nullptr);

}  // namespace stl
