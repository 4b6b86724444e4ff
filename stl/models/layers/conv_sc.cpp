#include "stl/models/layers/conv_sc.h"

namespace stl {

UpsamplingConvImpl::UpsamplingConvImpl(Conv2d convolution) : conv(std::move(convolution)) {
    register_module("0", conv);
}

BasicConv2dImpl::BasicConv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, Sampling sampling_)
    : sampling(sampling_) {
    const std::int64_t stride = sampling == Sampling::down ? 2 : 1;
    Conv2d convolution(Conv2dOptions{.in = in,
                                     .out = sampling == Sampling::up ? 4 * out : out,
                                     .kernel = kernel,
                                     .stride = stride,
                                     .padding = (kernel - stride + 1) / 2});
    if (sampling == Sampling::up) {
        upsampling = register_module("conv", UpsamplingConv(convolution));
    } else {
        conv = register_module("conv", convolution);
    }
    norm = register_module("norm", GroupNorm(2, out));
}

torch::Tensor BasicConv2dImpl::forward(const torch::Tensor& x) {
    const bool up = sampling == Sampling::up;
    const auto& c = up ? upsampling->conv : conv;
    return ops().conv_norm_silu(x, c->convolution(), {norm->groups, norm->weight, norm->bias, norm->eps}, up);
}

std::int64_t BasicConv2dImpl::child_positions(const std::string& child, std::int64_t positions) const {
    return sampling == Sampling::up && child == "conv" ? positions / 4 : positions;
}

ConvSCImpl::ConvSCImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, Sampling sampling) {
    conv = register_module("conv", BasicConv2d(in, out, kernel, sampling));
}

torch::Tensor ConvSCImpl::forward(const torch::Tensor& x) {
    if (!recompute) return conv->forward(x);
    return recomputed(*this, x, [this](const torch::Tensor& input) { return conv->forward(input); });
}

ConvStackImpl::ConvStackImpl(std::int64_t in, std::int64_t hidden, std::int64_t kernel,
                             const std::vector<Sampling>& samplings) {
    for (const auto sampling : samplings) {
        const auto name = std::to_string(layers.size());
        layers.push_back(
            register_module(name, ConvSC(layers.empty() ? in : hidden, hidden, kernel, sampling)));
    }
}

std::int64_t ConvStackImpl::child_positions(const std::string& child, std::int64_t positions) const {
    // `positions`: pixels of the stack's larger end, which is its first output going down and its last going
    // up.
    const auto index = std::stoul(child);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const auto sampling = layers[i]->conv->sampling;
        if ((sampling == Sampling::down && i <= index) || (sampling == Sampling::up && i > index))
            positions /= 4;
    }
    return positions;
}

}  // namespace stl
