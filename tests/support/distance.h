// How far one tensor is from another.
#pragma once

#include "stl/runtime/torch.h"

namespace stl::test {

/// Norm of the difference over the norm of what is expected, in float64, on any devices.
inline double distance(const torch::Tensor& found, const torch::Tensor& expected) {
    const auto truth = expected.to(torch::kCPU, torch::kFloat64);
    return ((found.to(torch::kCPU, torch::kFloat64) - truth).norm() / truth.norm().clamp_min(1e-30))
        .item<double>();
}

}  // namespace stl::test
