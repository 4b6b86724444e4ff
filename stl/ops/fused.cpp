#include "stl/ops/fused.h"

#include <ATen/autocast_mode.h>

#include "stl/cpu/kernels.h"
#include "stl/ops/gpu_operations.h"

namespace stl {

void set_fused(torch::nn::Module& model, bool fused) {
    for (const auto& module : model.modules()) {
        if (auto* layer = dynamic_cast<HasFusedPath*>(module.get())) layer->fused = fused;
    }
}

void set_channels_last(torch::nn::Module& model) {
    for (auto& p : model.parameters()) {
        // contiguous() would leave filters of one input channel as they are, in both orders at once, and ATen
        // would then take their convolution (of gray frames) for NCHW.
        if (p.dim() == 4) p.set_data(p.detach().clone(torch::MemoryFormat::ChannelsLast));
    }
}

void use_fast_layers(torch::nn::Module& model, torch::Device device) {
    if (device.is_cuda()) set_channels_last(model);
    set_fused(model, true);
}

namespace ops {

using torch::Tensor;

bool takes(const Tensor& x) {
    return gpu::takes(x) || (takes_type(x) && x.dim() == 4 && x.numel() > 0);
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

Tensor few_outputs(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    if (gpu::takes(x)) return torch::conv2d(x, weight, bias);
    if (x.is_contiguous(torch::MemoryFormat::ChannelsLast)) {
        return torch::linear(x.permute({0, 2, 3, 1}), weight.flatten(1), bias).permute({0, 3, 1, 2});
    }
    // One product a picture; matmul would turn x around first.
    const auto filters = weight.flatten(1).expand({x.size(0), weight.size(0), weight.size(1)});
    const auto y = torch::baddbmm(bias.view({1, -1, 1}), filters, x.flatten(2));
    return y.view({x.size(0), weight.size(0), x.size(2), x.size(3)});
}

}  // namespace ops
}  // namespace stl
