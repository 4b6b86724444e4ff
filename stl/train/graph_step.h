// A training step that is captured once and then launched as a whole: forward, loss, backward and update in
// one CUDA graph, with nothing left for the host to do between kernels.
//
// What changes from step to step lies in device memory that the graph reads: the batch in buffers of its own,
// learning rate and beta1 in a tensor of two, random numbers in the graph's offset of the device's generator.
#pragma once

#include <memory>

#include "stl/core/reporter.h"
#include "stl/gpu/kernel_table.h"
#include "stl/train/step.h"

namespace stl {

/// Steps that run on the graph's stream before it is captured; they train as any other.
inline constexpr int graph_warm_up_steps = gpu::graph_warm_ups;

/// Takes every batch of the first one's shape that comes without a check, and leaves the others to the plain
/// step. Where the work cannot be captured it says so once (`reporter`) and is the plain step from then on.
/// The optimizer needs a step_on_device(), which runs by `kernels`.
std::unique_ptr<TrainStep> make_graph_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           const gpu::KernelTable& kernels, std::unique_ptr<gpu::Graph> graph,
                                           Reporter& reporter);

/// The fastest there is for the model's device; says which, and why it is no better, where that is a GPU.
std::unique_ptr<TrainStep> make_train_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           Reporter& reporter);

}  // namespace stl
