// torch::conv2d, save where that would harm.
#pragma once

#include <cstdint>

#include "stl/runtime/torch.h"

namespace stl {

struct ConvolutionSteps {
    std::int64_t stride = 1;
    std::int64_t padding = 0;  ///< on every side
    std::int64_t dilation = 1;
    std::int64_t groups = 1;
};

/// conv2d(x, weight, bias): the same result and gradients, but that few outputs in bfloat16 on a CPU have their bias's
/// gradient summed here (convolve.cpp says why), in float32. For all that a step of training runs on a CPU.
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                       const ConvolutionSteps& steps);

}  // namespace stl
