#include "stl/models/translators/tau.h"

#include <algorithm>

#include "stl/models/layers/init.h"

namespace stl {
namespace {

std::int64_t squeezed(std::int64_t channels) {
    return channels / std::max<std::int64_t>(channels / 16, 4);
}

/// Change from frame to frame, [B,T-1,C*H*W].
torch::Tensor changes(const torch::Tensor& frames) {
    return frames.diff(1, 1).flatten(2);
}

}  // namespace

ExcitationImpl::ExcitationImpl(std::int64_t channels) {
    reduce = register_module("0", Linear(channels, squeezed(channels), /*with_bias=*/false));
    expand = register_module("2", Linear(squeezed(channels), channels, /*with_bias=*/false));
}

torch::Tensor ExcitationImpl::forward(const torch::Tensor& x) {
    return torch::sigmoid(expand->forward(torch::relu(reduce->forward(x))));
}

TauGate::TauGate(std::int64_t channels) : LargeKernelGate(channels, channels) {
    fc = register_module("fc", Excitation(channels));
}

torch::Tensor TauGate::forward(const torch::Tensor& x) {
    const auto weights = fc->forward(x.mean({2, 3}));
    return weights.unsqueeze(-1).unsqueeze(-1) * context(x) * x;
}

std::int64_t TauGate::child_positions(const std::string& child, std::int64_t positions) const {
    return child == "fc" ? 1 : positions;
}

std::int64_t TauGate::pooled_elements(std::int64_t positions) const {
    return positions * conv0->options.in;
}

TauBlock::TauBlock(const BlockOptions& options)
    : LargeKernelBlock(options, std::make_shared<TauGate>(options.channels)) {}

void TauBlock::draw_weights() {
    draw_convolutions(*attn, Init::torch_default);
    draw_linears(*attn, Init::torch_default);
    draw_convolutions(*mlp, Init::fan_out_normal);
}

torch::Tensor differential_divergence(const torch::Tensor& pred, const torch::Tensor& truth, double tau) {
    constexpr double eps = 1e-12;
    if (pred.size(1) <= 2) return torch::zeros({}, pred.options());
    const auto p = torch::softmax(changes(pred) / tau, -1);
    const auto q = torch::softmax(changes(truth) / tau, -1);
    return (p * torch::log(p / (q + eps) + eps)).mean();
}

}  // namespace stl
