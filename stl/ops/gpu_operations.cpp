#include "stl/ops/gpu_operations.h"

namespace stl::ops {

bool GpuOperations::takes(const Tensor& x) const {
    constexpr std::int64_t most_pictures = 65535;  // of a launch's grid
    const auto type = x.scalar_type();
    return x.device().type() == device_ && x.dim() == 4 && x.numel() > 0 && x.size(0) <= most_pictures &&
           (type == torch::kFloat32 || type == torch::kBFloat16 || type == torch::kFloat16);
}

Tensor GpuOperations::to_tokens(const Tensor& x) const {
    return Operations::to_tokens(x).contiguous();
}

}  // namespace stl::ops
