#include "stl/models/layers/init.h"

#include <cmath>

#include "stl/models/layers/conv2d.h"

namespace stl {
namespace {

/// `fan_in`, `fan_out`: elements that enter and leave one weight's window.
void draw(torch::Tensor& weight, torch::Tensor& bias, std::int64_t fan_in, std::int64_t fan_out, Init init) {
    const torch::NoGradGuard no_grad;
    if (init == Init::torch_default) {
        const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
        weight.uniform_(-bound, bound);
        if (bias.defined()) bias.uniform_(-bound, bound);
        return;
    }
    weight.normal_(0.0,
                   init == Init::small_normal ? small_std : std::sqrt(2.0 / static_cast<double>(fan_out)));
    if (bias.defined()) bias.zero_();
}

}  // namespace

void draw_convolutions(torch::nn::Module& module, Init init) {
    for (const auto& inner : module.modules()) {
        auto* conv = inner->as<Conv2d>();
        if (conv == nullptr) continue;
        const auto area = conv->options.kernel * conv->options.kernel;
        const auto groups = conv->options.groups;
        draw(conv->weight, conv->bias, area * conv->options.in / groups, area * conv->options.out / groups,
             init);
    }
}

void draw_linears(torch::nn::Module& module, Init init) {
    for (const auto& inner : module.modules()) {
        auto* linear = inner->as<Linear>();
        if (linear == nullptr) continue;
        draw(linear->weight, linear->bias, linear->weight.size(1), linear->weight.size(0), init);
    }
}

}  // namespace stl
