#include "stl/ops/cpu_operations.h"

#include <ATen/autocast_mode.h>

#include "stl/cpu/kernels.h"

namespace stl::ops {

bool takes(const Tensor& x) {
    return takes_type(x) && x.dim() == 4 && x.numel() > 0;
}

bool takes_type(const Tensor& x) {
    if (!x.is_cpu()) return false;
    const auto type = x.scalar_type();
    return type == torch::kFloat32 ||
           (type == torch::kBFloat16 && at::autocast::is_autocast_enabled(torch::kCPU));
}

bool on_tiles(const Tensor& x) {
    return takes_type(x) && at::autocast::is_autocast_enabled(torch::kCPU) && cpu::kernels().has_tiles;
}

Tensor widened(const Tensor& x) {
    return x.to(torch::kFloat32);
}

Tensor CpuOperations::depthwise_gelu_batch_norm(const Tensor& x, const Convolution& depthwise,
                                                const BatchNorm& norm) const {
    return batch_norm(depthwise_gelu(x, depthwise), norm);
}

Tensor CpuOperations::to_tokens(const Tensor& x) const {
    return Operations::to_tokens(x).contiguous();
}

}  // namespace stl::ops
