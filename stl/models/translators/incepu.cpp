#include "stl/models/translators/incepu.h"

#include "stl/core/error.h"
#include "stl/models/layers/init.h"
#include "stl/models/registry.h"

namespace stl {
namespace {

std::int64_t groups_for(std::int64_t channels) {
    return channels % 8 == 0 ? 8 : 1;
}

}  // namespace

GroupConv2dImpl::GroupConv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel) {
    const auto groups = groups_for(in);
    conv = register_module(
        "conv", Conv2d(Conv2dOptions{
                    .in = in, .out = out, .kernel = kernel, .padding = kernel / 2, .groups = groups}));
    norm = register_module("norm", GroupNorm(groups, out));
}

torch::Tensor GroupConv2dImpl::forward(const torch::Tensor& x) {
    return torch::leaky_relu(norm->forward(conv->forward(x)), 0.2);
}

InceptionImpl::InceptionImpl(std::int64_t in, std::int64_t hidden, std::int64_t out) {
    conv1 = register_module("conv1", pointwise(in, hidden));
    auto list = std::make_shared<torch::nn::Module>("layers");
    for (const std::int64_t kernel : {3, 5, 7, 11}) {
        layers.push_back(
            list->register_module(std::to_string(layers.size()), GroupConv2d(hidden, out, kernel)));
    }
    register_module("layers", list);
}

torch::Tensor InceptionImpl::forward(const torch::Tensor& x) {
    if (!recompute) return run(x);
    return recomputed(*this, x, [this](const torch::Tensor& input) { return run(input); });
}

torch::Tensor InceptionImpl::run(const torch::Tensor& input) {
    const auto x = conv1->forward(input);
    auto y = layers.front()->forward(x);
    for (std::size_t i = 1; i < layers.size(); ++i) y = y + layers[i]->forward(x);
    return y;
}

IncepU::IncepU(const SimVPOptions& options) {
    const auto outer = options.translator_channels(), inner = options.hid_T, depth = options.N_T;
    auto down = std::make_shared<torch::nn::Module>("enc");
    auto up = std::make_shared<torch::nn::Module>("dec");
    for (std::int64_t i = 0; i < depth; ++i) {
        const auto name = std::to_string(i);
        const bool first = i == 0, last = i + 1 == depth;
        enc.push_back(down->register_module(name, Inception(first ? outer : inner, inner / 2, inner)));
        dec.push_back(
            up->register_module(name, Inception(first ? inner : 2 * inner, inner / 2, last ? outer : inner)));
    }
    register_module("enc", down);
    register_module("dec", up);
}

torch::Tensor IncepU::forward(const torch::Tensor& z) {
    std::vector<torch::Tensor> skips;
    auto x = z;
    for (auto& module : enc) skips.push_back(x = module->forward(x));
    x = dec.front()->forward(skips.back());
    for (std::size_t i = 1; i < dec.size(); ++i) {
        x = dec[i]->forward(torch::cat({x, skips[dec.size() - 1 - i]}, 1));
    }
    return x;
}

void IncepU::draw_weights() {
    draw_convolutions(*this, Init::torch_default);
}

std::shared_ptr<Translator> make_incepu(const SimVPOptions& options) {
    return std::make_shared<IncepU>(options);
}

void check_incepu(const SimVPOptions& options, const std::string& where) {
    if (options.hid_T < 2) fail("{}: {}, expected at least 2", key_path(where, "hid_T"), options.hid_T);
    require_divisible(options, where, groups_for(options.hid_T / 2), "groups");
}

}  // namespace stl
