#include "stl/models/translators/convnext.h"

#include "stl/models/layers/init.h"

namespace stl {

ConvNextBlock::ConvNextBlock(const BlockOptions& options) : Block(options) {
    constexpr double initial_scale = 1e-6;
    gamma = register_parameter("gamma", torch::full({options.channels}, initial_scale));
    conv_dw = register_module("conv_dw", depthwise(options.channels, 7));
    norm = register_module("norm", LayerNorm2d(options.channels));
    mlp = register_module("mlp", ConvMlp(options.channels, options.hidden(), /*drop=*/0.0));
}

torch::Tensor ConvNextBlock::forward(const torch::Tensor& x) {
    return residual(x, mlp->forward(norm->forward(conv_dw->forward(x))), gamma);
}

void ConvNextBlock::draw_weights() {
    draw_convolutions(*this, Init::fan_out_normal);
}

}  // namespace stl
