// An optimizer's step by a kernel of our own that reads its changing numbers from device memory
// (stl/gpu/adam.h).
#pragma once

#include <vector>

#include "stl/gpu/kernel_table.h"
#include "stl/runtime/torch.h"

namespace stl::gpu {

struct AdamTensors {
    const std::vector<torch::Tensor>& parameters;  ///< float32, as all of these
    const std::vector<torch::Tensor>& gradients;
    const std::vector<torch::Tensor>& exp_avgs;     ///< in their parameter's memory order
    const std::vector<torch::Tensor>& exp_avg_sqs;  ///< of the same shapes
    const std::vector<torch::Tensor>& steps;        ///< scalars, this step counted
    const std::vector<torch::Tensor>& averages;     ///< of the parameters, as exp_avgs; empty: none are kept
};
struct AdamNumbers {
    double beta2, eps, weight_decay;
    bool decoupled;            ///< AdamW
    double average_decay = 0;  ///< of the averages, after the step (stl/train/weight_average.h)
};

/// settings: [2] float32 on the parameters' device: learning rate, beta1. Error: a tensor of another type or
/// memory order.
void adam(const AdamTensors& tensors, const AdamNumbers& numbers, const torch::Tensor& settings,
          const KernelTable& kernels);

}  // namespace stl::gpu
