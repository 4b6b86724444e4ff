#include "stl/models/translators/hornet.h"

#include <numeric>

#include "stl/models/layers/init.h"

namespace stl {
namespace {

constexpr double initial_scale = 1e-6;

std::int64_t sum(const std::vector<std::int64_t>& values) {
    return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

}  // namespace

GnConvImpl::GnConvImpl(std::int64_t channels) : widths{channels / 8, channels / 4, channels / 2, channels} {
    proj_in = register_module("proj_in", pointwise(channels, 2 * channels));
    dwconv = register_module("dwconv", depthwise(sum(widths), 7));
    proj_out = register_module("proj_out", pointwise(channels, channels));
    auto list = std::make_shared<torch::nn::Module>("pws");
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
        pws.push_back(list->register_module(std::to_string(i), pointwise(widths[i], widths[i + 1])));
    }
    register_module("pws", list);
}

torch::Tensor GnConvImpl::forward(const torch::Tensor& x) {
    const auto parts = proj_in->forward(x).split_with_sizes({widths[0], sum(widths)}, 1);
    const auto orders = dwconv->forward(parts[1]).split_with_sizes(widths, 1);
    auto p = parts[0] * orders[0];
    for (std::size_t i = 0; i < pws.size(); ++i) p = pws[i]->forward(p) * orders[i + 1];
    return proj_out->forward(p);
}

HorNetBlock::HorNetBlock(const BlockOptions& options) : Block(options) {
    const auto channels = options.channels;
    gamma1 = register_parameter("gamma1", torch::full({channels}, initial_scale));
    gamma2 = register_parameter("gamma2", torch::full({channels}, initial_scale));
    norm1 = register_module("norm1", LayerNorm2d(channels));
    gnconv = register_module("gnconv", GnConv(channels));
    norm2 = register_module("norm2", LayerNorm(channels, LayerNorm2dImpl::eps));
    pwconv1 = register_module("pwconv1", Linear(channels, options.hidden()));
    pwconv2 = register_module("pwconv2", Linear(options.hidden(), channels));
}

torch::Tensor HorNetBlock::forward(const torch::Tensor& input) {
    const auto x = residual(input, gnconv->forward(norm1->forward(input)), gamma1);
    const auto pixels = norm2->forward(x.permute({0, 2, 3, 1}));
    const auto mixed = gamma2 * pwconv2->forward(ops().gelu(pwconv1->forward(pixels)));
    return residual(x, mixed.permute({0, 3, 1, 2}));
}

void HorNetBlock::draw_weights() {
    draw_convolutions(*this, Init::fan_out_normal);
    draw_linears(*this, Init::small_normal);
}

std::int64_t HorNetBlock::child_positions(const std::string& child, std::int64_t positions) const {
    return child == "norm1" ? 0 : positions;
}

}  // namespace stl
