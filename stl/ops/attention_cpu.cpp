#include <cmath>

#include "stl/ops/cpu_operations.h"

namespace stl::ops {

/// LibTorch's own, which keeps no scores, spends most of its time in small products of its backward pass that are
/// not on tiles. Up to so many tokens the scores are no more than a layer's other memory, and whole products over
/// them take half the time.
constexpr std::int64_t most_tokens = 1024;

Tensor CpuOperations::attention(const Tensor& q, const Tensor& k, const Tensor& v) const {
    if (!on_tiles(q) || q.size(-2) > most_tokens) return Operations::attention(q, k, v);
    const auto scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
    return torch::matmul(torch::softmax(torch::matmul(q * scale, k.transpose(-2, -1)), -1), v);
}

}  // namespace stl::ops
