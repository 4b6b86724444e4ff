#include "stl/ops/pointwise.h"

#include <algorithm>

#include "stl/cpu/turn.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

/// x's values in the other order, in a new tensor. x: bfloat16, contiguous or channels last.
Tensor turned(const Tensor& x, bool to_last) {
    auto out = torch::empty(
        x.sizes(), x.options().memory_format(to_last ? channels_last : torch::MemoryFormat::Contiguous));
    const auto channels = static_cast<int>(x.size(1)), pixels = static_cast<int>(x.size(2) * x.size(3));
    const auto picture = Index{channels} * pixels;
    const auto* in = static_cast<const std::uint16_t*>(x.const_data_ptr());
    auto* to = static_cast<std::uint16_t*>(out.mutable_data_ptr());
    constexpr int block = 64;  // pixels at a time
    const int blocks = (pixels + block - 1) / block;
    cpu::parallel(static_cast<int>(x.size(0)) * blocks, [&](int unit) {
        const Index n = unit / blocks;
        const int first = unit % blocks * block, count = std::min(block, pixels - first);
        const Index planes = n * picture + first, lines = n * picture + Index{first} * channels;
        cpu::turn(to_last ? cpu::Turn{in + planes, pixels, channels, count, to + lines, channels}
                          : cpu::Turn{in + lines, channels, count, channels, to + planes, pixels});
    });
    return out;
}

/// x in bfloat16 and in an order: by turned() where it lies in the other one.
Tensor ordered(const Tensor& x_, bool last) {
    const auto x = x_.to(torch::kBFloat16);
    const auto wanted = last ? channels_last : torch::MemoryFormat::Contiguous;
    const auto other = last ? torch::MemoryFormat::Contiguous : channels_last;
    if (x.is_contiguous(wanted)) return x;
    return x.is_contiguous(other) ? turned(x, last) : x.contiguous(wanted);
}

struct OrderedFunction : torch::autograd::Function<OrderedFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x, bool last) {
        context->saved_data["last"] = last;
        return ordered(x, last);
    }
    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        return {ordered(grads[0], !context->saved_data["last"].toBool()), Tensor()};
    }
};

}  // namespace

Tensor with_channels_last(const Tensor& x_) {
    const auto x = x_.to(torch::kBFloat16);
    return x.is_contiguous(channels_last) ? x : OrderedFunction::apply(x, true);
}

Tensor with_channels_first(const Tensor& x_) {
    const auto x = x_.to(torch::kBFloat16);
    return x.is_contiguous() ? x : OrderedFunction::apply(x, false);
}

Tensor product_over_pixels(const Operations& ops, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const auto pixels = x.permute({0, 2, 3, 1});
    const auto y = ops.linear(pixels.flatten(0, 2), weight.flatten(1), bias);
    return y.view({x.size(0), x.size(2), x.size(3), y.size(1)}).permute({0, 3, 1, 2});
}

Tensor few_outputs(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    if (x.is_contiguous(channels_last)) {
        return torch::linear(x.permute({0, 2, 3, 1}), weight.flatten(1), bias).permute({0, 3, 1, 2});
    }
    // One product a picture; matmul would turn x around first.
    const auto filters = weight.flatten(1).expand({x.size(0), weight.size(0), weight.size(1)});
    const auto y = torch::baddbmm(bias.view({1, -1, 1}), filters, x.flatten(2));
    return y.view({x.size(0), weight.size(0), x.size(2), x.size(3)});
}

Tensor pointwise(const Operations& ops, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const auto y = product_over_pixels(ops, with_channels_last(x), weight, bias);
    return x.is_contiguous(channels_last) ? y : with_channels_first(y);
}

}  // namespace stl::ops
