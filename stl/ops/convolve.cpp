#include "stl/ops/convolve.h"

#include "stl/runtime/autocast.h"
#include "stl/runtime/autograd_function.h"

namespace stl::ops {
namespace {

/// y, which has the bias in it already; going back, the bias's gradient.
struct BiasGradientFunction : torch::autograd::Function<BiasGradientFunction> {
    static Tensor forward(torch::autograd::AutogradContext* /*context*/, const Tensor& y,
                          const Tensor& /*bias*/) {
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* /*context*/,
                                                   const torch::autograd::variable_list& grads) {
        return {grads[0], grads[0].sum({0, 2, 3}, /*keepdim=*/false, torch::kFloat32)};
    }
};

/// oneDNN writes 32 bytes behind the bias's gradient where it gives a thread no outputs, and these come in
/// sixteens. Seen and read in 3.10.2 (LibTorch 2.11) and 3.13.3, brgconv_bwd_w on AMX: in bfloat16, with fewer
/// than 16 outputs, over 2048 inputs and two threads. To go when oneDNN is mended and tests/models/guarded_test.cpp
/// passes without.
bool onednn_writes_behind(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    constexpr std::int64_t block = 16;
    return x.is_cpu() && weight.size(0) < block && torch::GradMode::is_enabled() && bias.requires_grad() &&
           (x.scalar_type() == torch::kBFloat16 || Autocast::is_on(torch::kCPU));
}

}  // namespace

Tensor convolve(const Tensor& x, const Convolution& c) {
    const auto with = [&](const Tensor& bias) {
        return torch::conv2d(x, c.weight, bias, c.stride, c.padding, c.dilation, c.groups);
    };
    if (!onednn_writes_behind(x, c.weight, c.bias)) return with(c.bias);
    return BiasGradientFunction::apply(with(c.bias.detach()), c.bias);
}

}  // namespace stl::ops
