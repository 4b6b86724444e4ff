// One optimization step of a SimVP model: forward, loss, backward, update.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "stl/distributed/gradient_average.h"
#include "stl/models/simvp.h"
#include "stl/run/experiment.h"
#include "stl/run/normalizer.h"
#include "stl/run/optimizer.h"
#include "stl/runtime/torch.h"
#include "stl/train/weight_average.h"

namespace stl {

/// A batch on the model's device: input [B,T,C,H,W], target [B,T',C,H,W].
struct TrainBatch {
    torch::Tensor input;
    torch::Tensor target;
};
/// The batch in the network's values.
TrainBatch normalized(const TrainBatch& batch, const Normalizer& normalizer);

/// A reusable training step. A faster implementation (graph_step.h) gives the same loss and update as the plain
/// one, within the precision.
class TrainStep {
  public:
    virtual ~TrainStep() = default;
    /// Makes the step and returns its loss as a scalar on the model's device. `check` is called with the loss before
    /// the weights change, and may throw; null if waiting for the device would cost too much.
    using LossCheck = std::function<void(const torch::Tensor& loss)>;
    virtual torch::Tensor operator()(const TrainBatch& batch, const ScheduleValue& settings,
                                     const LossCheck& check) = 0;
};

/// Mean squared error over the target frames, plus train.alpha times TAU's term.
torch::Tensor training_loss(const torch::Tensor& prediction, const torch::Tensor& target, double alpha);

/// Adds the gradients of the batch's mean loss to the parameters', computed in train.accumulate parts one after the
/// other, and returns the loss. check: called with it before the last part's backward pass, may be null.
/// average: averages the gradients over ranks; null: one device.
torch::Tensor add_gradients(SimVP& model, const TrainBatch& batch, const TrainOptions& options,
                            const TrainStep::LossCheck& check = nullptr, GradientAverage* average = nullptr);

/// What every step does before the update: computes the gradients of the batch's loss, in mixed precision where
/// train.precision is bf16, and clips them. Returns the loss. An option that changes the loss or its gradients belongs
/// here, so that the captured step has it too. TF32 is switched by the step, since the update is in its scope.
torch::Tensor compute_gradients(SimVP& model, Optimizer& optimizer, const TrainBatch& batch,
                                const TrainOptions& options, const TrainStep::LossCheck& check = nullptr,
                                GradientAverage* average = nullptr);

/// The reference: eager, with automatic mixed precision where train.precision is bf16. weights: their average, which
/// every step updates; null: none. average: as above.
std::unique_ptr<TrainStep> make_plain_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           WeightAverage* weights = nullptr,
                                           GradientAverage* average = nullptr);

}  // namespace stl
