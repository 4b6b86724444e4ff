// Averages gradients over the ranks of a group while the backward pass still runs, by c10d's Reducer, the engine of
// PyTorch's DistributedDataParallel: gradients are gathered in flat buckets, in the order in which the backward pass
// gives them, and a full bucket is reduced at once.
#pragma once

#include <memory>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl {

class Group;

class GradientAverage {
  public:
    /// parameters: the same on every rank, in the same order. The object must outlive their use in backward passes.
    GradientAverage(const Group& group, std::vector<torch::Tensor> parameters);
    ~GradientAverage();
    GradientAverage(const GradientAverage&) = delete;
    GradientAverage& operator=(const GradientAverage&) = delete;

    /// The loss's backward pass, which leaves in every parameter the mean of the ranks' gradients, those that earlier
    /// passes have added up included. A parameter that no rank's loss depends on keeps none.
    void backward(const torch::Tensor& loss);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stl
