#include "stl/models/translators/convmixer.h"

#include "stl/models/layers/folding.h"
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
    const auto x = mix_pixels(input);
    const auto y = conv_pw->forward(x);
    return last_folded_ ? ops().gelu(y) : norm_2->of_gelu(y);
}

torch::Tensor ConvMixerBlock::mix_pixels(const torch::Tensor& input) {
    if (!scale_1_.defined()) return input + norm_1->of_depthwise_gelu(input, conv_dw);
    return ops().scaled_sum(ops().depthwise_gelu(input, conv_dw->convolution()), scale_1_, input);
}

void ConvMixerBlock::fold(const Conv2d& next) {
    const auto first = Affine::of(norm_1);
    Map::of(conv_pw).after({torch::ones_like(first.shift), first.shift}).store(conv_pw);
    scale_1_ = first.scale.to(torch::kFloat32);
    if (!next) return;
    folded_after(norm_2, next).store(next);
    last_folded_ = true;
}

void ConvMixerBlock::draw_weights() {
    draw_convolutions(*this, Init::fan_out_normal);
}

std::int64_t ConvMixerBlock::child_positions(const std::string& child, std::int64_t positions) const {
    return child == "conv_dw" ? 0 : positions;
}

}  // namespace stl
