// Convolutions as operations take them.
#pragma once

#include "stl/ops/operations.h"

namespace stl::test {

/// Padded so that the size stays. weight: [C,1,K,K]; bias: [C].
inline ops::Convolution depthwise(const torch::Tensor& weight, const torch::Tensor& bias,
                                  std::int64_t dilation = 1) {
    return {.weight = weight,
            .bias = bias,
            .padding = dilation * (weight.size(2) - 1) / 2,
            .dilation = dilation,
            .groups = weight.size(0)};
}

}  // namespace stl::test
