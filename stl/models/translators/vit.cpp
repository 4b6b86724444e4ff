#include "stl/models/translators/vit.h"

#include "stl/models/layers/init.h"
#include "stl/models/layers/norms.h"

namespace stl {

VitBlock::VitBlock(const BlockOptions& options) : Block(options) {
    norm1 = register_module("norm1", LayerNorm(options.channels));
    attn = register_module("attn", Attention(options.channels, options.drop));
    norm2 = register_module("norm2", LayerNorm(options.channels));
    mlp = register_module("mlp", Mlp(options.channels, options.hidden(), options.drop));
}

torch::Tensor VitBlock::forward(const torch::Tensor& input) {
    auto x = ops().to_tokens(input);
    x = residual(x, attn->forward(norm1->forward(x)));
    x = residual(x, mlp->forward(norm2->forward(x)));
    return from_tokens(x, input.size(2), input.size(3));
}

void VitBlock::draw_weights() {
    draw_linears(*this, Init::small_normal);
}

}  // namespace stl
