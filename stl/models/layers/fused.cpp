#include "stl/models/layers/fused.h"

#include <ATen/autocast_mode.h>

#include "stl/gpu/layers.h"

namespace stl {

void set_fused(torch::nn::Module& model, bool fused) {
    for (const auto& module : model.modules()) {
        if (auto* layer = dynamic_cast<HasFusedPath*>(module.get())) layer->fused = fused;
    }
}

namespace fused {

using torch::Tensor;

bool takes(const Tensor& x) {
    if (gpu::takes(x)) return true;
    return x.is_cpu() && x.scalar_type() == torch::kFloat32 && x.dim() == 4 && x.numel() > 0 &&
           !at::autocast::is_autocast_enabled(torch::kCPU);
}

Tensor few_outputs(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    if (gpu::takes(x)) return torch::conv2d(x, weight, bias);
    // One product a picture; matmul would turn x around first.
    const auto filters = weight.flatten(1).expand({x.size(0), weight.size(0), weight.size(1)});
    const auto y = torch::bmm(filters, x.flatten(2)) + bias.unsqueeze(1);
    return y.view({x.size(0), weight.size(0), x.size(2), x.size(3)});
}

}  // namespace fused
}  // namespace stl
