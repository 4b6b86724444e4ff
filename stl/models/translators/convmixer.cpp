#include "stl/models/translators/convmixer.h"

#include "stl/models/layers/fused_chains.h"
#include "stl/models/layers/init.h"
#include "stl/models/layers/norms.h"

namespace stl {

ConvMixerBlock::ConvMixerBlock(const BlockOptions& options) : Block(options) {
    conv_dw = register_module("conv_dw", depthwise(options.channels, 11));
    norm_1 = register_module("norm_1", BatchNorm2d(options.channels));
    conv_pw = register_module("conv_pw", pointwise(options.channels, options.channels));
    norm_2 = register_module("norm_2", BatchNorm2d(options.channels));
}

torch::Tensor ConvMixerBlock::forward(const torch::Tensor& input) {
    const auto filtered =
        fused && fused::takes_chain(input)
            ? fused::depthwise_gelu(input, conv_dw->weight, conv_dw->bias, conv_dw->options.dilation)
            : torch::gelu(conv_dw->forward(input));
    const auto x = input + norm_1->forward(filtered);
    return norm_2->forward(fused::gelu(conv_pw->forward(x), fused));
}

void ConvMixerBlock::draw_weights() {
    draw_convolutions(*this, Init::fan_out_normal);
}

std::int64_t ConvMixerBlock::child_positions(const std::string& child, std::int64_t positions) const {
    return child == "conv_dw" ? 0 : positions;
}

}  // namespace stl
