#include "stl/models/translators/uniformer.h"

#include "stl/core/error.h"
#include "stl/models/layers/init.h"
#include "stl/models/layers/norms.h"
#include "stl/models/registry.h"

namespace stl {
namespace {

constexpr double initial_scale = 1e-6;

bool attends(const BlockOptions& options) {
    return options.index > 0 && options.keeps_channels;
}

std::shared_ptr<Block> make_block(const BlockOptions& options) {
    if (attends(options)) return std::make_shared<UniformerAttentionBlock>(options);
    return std::make_shared<UniformerConvBlock>(options);
}

}  // namespace

UniformerConvBlock::UniformerConvBlock(const BlockOptions& options) : Block(options) {
    const auto channels = options.channels;
    pos_embed = register_module("pos_embed", depthwise(channels, 3));
    norm1 = register_module("norm1", BatchNorm2d(channels));
    conv1 = register_module("conv1", pointwise(channels, channels));
    conv2 = register_module("conv2", pointwise(channels, channels));
    attn = register_module("attn", depthwise(channels, 5));
    norm2 = register_module("norm2", BatchNorm2d(channels));
    mlp = register_module("mlp", ConvMlp(channels, options.hidden(), options.drop));
}

torch::Tensor UniformerConvBlock::forward(const torch::Tensor& input) {
    auto x = input + pos_embed->forward(input);
    x = residual(x, conv2->forward(attn->forward(conv1->forward(folded_ ? x : norm1->forward(x)))));
    return residual(x, mlp->forward(folded_ ? x : norm2->forward(x)));
}

UniformerConvBlock::Folded UniformerConvBlock::folded() const {
    return {folded_after(norm1, conv1), folded_after(norm2, mlp->fc1)};
}

void UniformerConvBlock::fold(const Conv2d& /*next*/) {
    const auto maps = folded();
    maps.conv1.store(conv1);
    maps.fc1.store(mlp->fc1);
    folded_ = true;
}

void UniformerConvBlock::draw_weights() {
    draw_convolutions(*this, Init::fan_out_normal);
}

UniformerAttentionBlock::UniformerAttentionBlock(const BlockOptions& options) : Block(options) {
    const auto channels = options.channels;
    gamma_1 = register_parameter("gamma_1", torch::full({channels}, initial_scale));
    gamma_2 = register_parameter("gamma_2", torch::full({channels}, initial_scale));
    pos_embed = register_module("pos_embed", depthwise(channels, 3));
    norm1 = register_module("norm1", LayerNorm(channels));
    attn = register_module("attn", Attention(channels, options.drop));
    norm2 = register_module("norm2", LayerNorm(channels));
    mlp = register_module("mlp", Mlp(channels, options.hidden(), options.drop));
}

torch::Tensor UniformerAttentionBlock::forward(const torch::Tensor& input) {
    auto x = ops().to_tokens(input + pos_embed->forward(input));
    x = residual(x, gamma_1 * attn->forward(norm1->forward(x)));
    x = residual(x, gamma_2 * mlp->forward(norm2->forward(x)));
    return from_tokens(x, input.size(2), input.size(3));
}

void UniformerAttentionBlock::draw_weights() {
    draw_convolutions(*this, Init::torch_default);
    draw_linears(*this, Init::small_normal);
}

std::shared_ptr<Translator> make_uniformer(const SimVPOptions& options) {
    return std::make_shared<BlockStack>(options, make_block);
}

void check_uniformer(const SimVPOptions& options, const std::string& where) {
    for (const auto& block : block_options(options)) {
        if (attends(block) && block.channels % attention_heads != 0) {
            fail("{}: {} is not divisible by {} (heads)", key_path(where, "hid_T"), block.channels,
                 attention_heads);
        }
    }
}

}  // namespace stl
