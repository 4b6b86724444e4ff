#include "stl/models/layers/coder.h"

#include <vector>

namespace stl {
namespace {

/// Stride 1, 2, 1, 2, ... going down; the same in reverse going up.
std::vector<Sampling> samplings(std::int64_t layers, Sampling step) {
    std::vector<Sampling> out;
    for (std::int64_t i = 0; i < layers; ++i) {
        const auto from_start = step == Sampling::down ? i : layers - 1 - i;
        out.push_back(from_start % 2 == 1 ? step : Sampling::none);
    }
    return out;
}

}  // namespace

EncoderImpl::EncoderImpl(std::int64_t channels, std::int64_t hidden, std::int64_t layers,
                         std::int64_t kernel) {
    enc = register_module("enc", ConvStack(channels, hidden, kernel, samplings(layers, Sampling::down)));
}

EncoderImpl::Output EncoderImpl::forward(const torch::Tensor& frames) {
    const auto skip = enc->layers.front()->forward(frames);
    auto latent = skip;
    for (std::size_t i = 1; i < enc->layers.size(); ++i) latent = enc->layers[i]->forward(latent);
    return {.latent = latent, .skip = skip};
}

DecoderImpl::DecoderImpl(std::int64_t hidden, std::int64_t channels, std::int64_t layers,
                         std::int64_t kernel) {
    dec = register_module("dec", ConvStack(hidden, hidden, kernel, samplings(layers, Sampling::up)));
    readout = register_module("readout", pointwise(hidden, channels));
}

torch::Tensor DecoderImpl::forward(const torch::Tensor& latent, const torch::Tensor& skip) {
    auto x = latent;
    for (std::size_t i = 0; i + 1 < dec->layers.size(); ++i) x = dec->layers[i]->forward(x);
    return readout->forward(dec->layers.back()->forward(x + skip));
}

}  // namespace stl
