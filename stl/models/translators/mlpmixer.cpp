#include "stl/models/translators/mlpmixer.h"

#include "stl/models/layers/init.h"
#include "stl/models/layers/norms.h"

namespace stl {

MlpMixerBlock::MlpMixerBlock(const BlockOptions& options) : Block(options) {
    constexpr double eps = 1e-6;
    norm1 = register_module("norm1", LayerNorm(options.channels, eps));
    mlp_tokens = register_module("mlp_tokens",
                                 Mlp(options.height * options.width, options.channels / 2, options.drop));
    norm2 = register_module("norm2", LayerNorm(options.channels, eps));
    mlp_channels = register_module("mlp_channels", Mlp(options.channels, options.hidden(), options.drop));
}

torch::Tensor MlpMixerBlock::forward(const torch::Tensor& input) {
    auto x = input.flatten(2).transpose(1, 2);  // [B,N,C]
    x = residual(x, mlp_tokens->forward(norm1->forward(x).transpose(1, 2)).transpose(1, 2));
    x = residual(x, mlp_channels->forward(norm2->forward(x)));
    return from_tokens(x, input.size(2), input.size(3));
}

void MlpMixerBlock::draw_weights() {
    draw_linears(*this, Init::small_normal);
}

std::int64_t MlpMixerBlock::child_positions(const std::string& child, std::int64_t positions) const {
    return child == "mlp_tokens" ? options.channels : positions;
}

}  // namespace stl
