#include "stl/models/translators/moganet.h"

#include "stl/models/layers/init.h"
#include "stl/models/layers/norms.h"

namespace stl {
namespace {

constexpr double initial_scale = 1e-5;

torch::Tensor scale_of(std::int64_t channels) {
    return torch::full({1, channels, 1, 1}, initial_scale);
}

}  // namespace

MultiOrderDWConvImpl::MultiOrderDWConvImpl(std::int64_t channels)
    : channels_1(channels * 3 / 8),
      channels_2(channels * 4 / 8),
      channels_0(channels - channels_1 - channels_2) {
    DW_conv0 = register_module("DW_conv0", depthwise(channels, 5));
    DW_conv1 = register_module("DW_conv1", depthwise(channels_1, 5, /*dilation=*/2));
    DW_conv2 = register_module("DW_conv2", depthwise(channels_2, 7, /*dilation=*/3));
    PW_conv = register_module("PW_conv", pointwise(channels, channels));
}

torch::Tensor MultiOrderDWConvImpl::forward(const torch::Tensor& x) {
    const auto orders = DW_conv0->forward(x).split_with_sizes({channels_0, channels_1, channels_2}, 1);
    return PW_conv->forward(
        torch::cat({orders[0], DW_conv1->forward(orders[1]), DW_conv2->forward(orders[2])}, 1));
}

MultiOrderGatedAggregationImpl::MultiOrderGatedAggregationImpl(std::int64_t channels) {
    sigma = register_parameter("sigma", scale_of(channels));
    proj_1 = register_module("proj_1", pointwise(channels, channels));
    gate = register_module("gate", pointwise(channels, channels));
    value = register_module("value", MultiOrderDWConv(channels));
    proj_2 = register_module("proj_2", pointwise(channels, channels));
}

torch::Tensor MultiOrderGatedAggregationImpl::branch(const torch::Tensor& x) {
    const auto y = ops().decompose_silu(proj_1->forward(x), sigma);
    return proj_2->forward(ops().silu_gate(gate->forward(y), value->forward(y)));
}

torch::Tensor MultiOrderGatedAggregationImpl::forward(const torch::Tensor& x) {
    return branch(x) + x;
}

std::int64_t MultiOrderGatedAggregationImpl::pooled_elements(std::int64_t positions) const {
    return positions * sigma.numel();
}

ChannelAggregationFFNImpl::ChannelAggregationFFNImpl(std::int64_t channels, std::int64_t hidden, double drop_)
    : drop(drop_) {
    sigma = register_parameter("sigma", scale_of(hidden));
    fc1 = register_module("fc1", pointwise(channels, hidden));
    dwconv = register_module("dwconv", depthwise(hidden, 3));
    fc2 = register_module("fc2", pointwise(hidden, channels));
    decompose = register_module("decompose", pointwise(hidden, 1));
}

torch::Tensor ChannelAggregationFFNImpl::forward(const torch::Tensor& x) {
    const auto wide = fc1->forward(x);
    if (drop == 0 || !is_training())
        return fc2->forward(
            ops().channel_aggregation(wide, dwconv->convolution(), decompose->convolution(), sigma));
    const auto h = torch::dropout(torch::gelu(dwconv->forward(wide)), drop, is_training());
    const auto y = ops::aggregate_channels(h, decompose->forward(h), sigma);
    return torch::dropout(fc2->forward(y), drop, is_training());
}

MogaBlock::MogaBlock(const BlockOptions& options) : Block(options) {
    const auto channels = options.channels;
    layer_scale_1 = register_parameter("layer_scale_1", scale_of(channels));
    layer_scale_2 = register_parameter("layer_scale_2", scale_of(channels));
    norm1 = register_module("norm1", BatchNorm2d(channels));
    attn = register_module("attn", MultiOrderGatedAggregation(channels));
    norm2 = register_module("norm2", BatchNorm2d(channels));
    mlp = register_module("mlp", ChannelAggregationFFN(channels, options.hidden(), options.drop));
}

torch::Tensor MogaBlock::forward(const torch::Tensor& input) {
    if (shortcut_.defined()) {
        const auto x = ops().scaled_sum(input, shortcut_, attn->branch(input));
        return x + mlp->forward(x);
    }
    const auto x = residual(input, attn->forward(norm1->forward(input)), layer_scale_1);
    return residual(x, mlp->forward(norm2->forward(x)), layer_scale_2);
}

MogaBlock::Folded MogaBlock::folded() const {
    return {fold_around(norm1, attn->proj_1, attn->proj_2, layer_scale_1),
            fold_mlp(norm2, mlp, layer_scale_2)};
}

void MogaBlock::fold(const Conv2d& /*next*/) {
    const auto maps = folded();
    maps.attention.first.store(attn->proj_1);
    maps.attention.last.store(attn->proj_2);
    shortcut_ = maps.attention.shortcut.to(torch::kFloat32);
    maps.mlp.store(mlp);
}

void MogaBlock::draw_weights() {
    draw_convolutions(*this, Init::fan_out_normal);
}

}  // namespace stl
