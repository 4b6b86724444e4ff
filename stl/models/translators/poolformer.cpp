#include "stl/models/translators/poolformer.h"

#include "stl/models/layers/init.h"

namespace stl {
namespace {

constexpr double initial_scale = 1e-5;

GroupNorm one_group(std::int64_t channels) {
    return GroupNorm(1, channels);
}

}  // namespace

PoolFormerBlock::PoolFormerBlock(const BlockOptions& options) : Block(options) {
    const auto channels = options.channels;
    layer_scale_1 = register_parameter("layer_scale_1", torch::full({channels}, initial_scale));
    layer_scale_2 = register_parameter("layer_scale_2", torch::full({channels}, initial_scale));
    norm1 = register_module("norm1", one_group(channels));
    norm2 = register_module("norm2", one_group(channels));
    mlp = register_module("mlp", ConvMlp(channels, options.hidden(), options.drop));
}

torch::Tensor PoolFormerBlock::forward(const torch::Tensor& input) {
    const auto x = residual(input, ops().pool_difference(norm1->forward(input)), layer_scale_1);
    return residual(x, mlp->forward(norm2->forward(x)), layer_scale_2);
}

void PoolFormerBlock::draw_weights() {
    draw_convolutions(*this, Init::small_normal);
}

}  // namespace stl
