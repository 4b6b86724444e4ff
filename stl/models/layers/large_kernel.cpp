#include "stl/models/layers/large_kernel.h"

#include "stl/models/layers/init.h"
#include "stl/models/layers/norms.h"

namespace stl {
namespace {

constexpr double initial_scale = 1e-2;

}  // namespace

LargeKernelGate::LargeKernelGate(std::int64_t channels, std::int64_t outputs) {
    conv0 = register_module("conv0", depthwise(channels, 5));
    conv_spatial = register_module("conv_spatial", depthwise(channels, 7, /*dilation=*/3));
    conv1 = register_module("conv1", pointwise(channels, outputs));
}

LargeKernelAttentionImpl::LargeKernelAttentionImpl(std::int64_t channels,
                                                   std::shared_ptr<LargeKernelGate> gate) {
    proj_1 = register_module("proj_1", pointwise(channels, channels));
    spatial_gating_unit = register_module("spatial_gating_unit", std::move(gate));
    proj_2 = register_module("proj_2", pointwise(channels, channels));
}

torch::Tensor LargeKernelAttentionImpl::branch(const torch::Tensor& x) {
    return proj_2->forward(spatial_gating_unit->forward(ops().gelu(proj_1->forward(x))));
}

torch::Tensor LargeKernelAttentionImpl::forward(const torch::Tensor& x) {
    return branch(x) + x;
}

LargeKernelBlock::LargeKernelBlock(const BlockOptions& options, std::shared_ptr<LargeKernelGate> gate)
    : Block(options) {
    const auto channels = options.channels;
    layer_scale_1 = register_parameter("layer_scale_1", torch::full({channels}, initial_scale));
    layer_scale_2 = register_parameter("layer_scale_2", torch::full({channels}, initial_scale));
    norm1 = register_module("norm1", BatchNorm2d(channels));
    attn = register_module("attn", LargeKernelAttention(channels, std::move(gate)));
    norm2 = register_module("norm2", BatchNorm2d(channels));
    mlp = register_module("mlp", MixMlp(channels, options.hidden(), options.drop));
}

torch::Tensor LargeKernelBlock::forward(const torch::Tensor& input) {
    if (shortcut_.defined()) {
        const auto x = ops().scaled_sum(input, shortcut_, attn->branch(input));
        return x + mlp->forward(x);
    }
    const auto x = residual(input, attn->forward(norm1->forward(input)), layer_scale_1);
    return residual(x, mlp->forward(norm2->forward(x)), layer_scale_2);
}

LargeKernelBlock::Folded LargeKernelBlock::folded() const {
    return {fold_around(norm1, attn->proj_1, attn->proj_2, layer_scale_1),
            fold_mlp(norm2, mlp, layer_scale_2)};
}

void LargeKernelBlock::fold(const Conv2d& /*next*/) {
    const auto maps = folded();
    maps.attention.first.store(attn->proj_1);
    maps.attention.last.store(attn->proj_2);
    shortcut_ = maps.attention.shortcut.to(torch::kFloat32);
    maps.mlp.store(mlp);
}

void LargeKernelBlock::draw_weights() {
    draw_convolutions(*this, Init::fan_out_normal);
}

}  // namespace stl
