#include "stl/models/layers/fused_winograd.h"

#include <ATen/autocast_mode.h>

#include <algorithm>

#include "stl/kernels/winograd.h"
#include "stl/models/layers/fused_planes.h"

namespace stl::fused {
namespace {

/// `turned`: the filters that take the output's gradient to the input's.
kernels::WinogradFilters filters_of(const Tensor& weight_, bool turned) {
    const auto weight = weight_.contiguous();
    const int outputs = static_cast<int>(weight.size(0)), inputs = static_cast<int>(weight.size(1));
    constexpr std::ptrdiff_t taps = 9;
    kernels::WinogradFilters::Source source{.weight = weight.const_data_ptr<float>(),
                                            .outputs = outputs,
                                            .inputs = inputs,
                                            .padded_inputs = inputs,
                                            .output_step = inputs * taps,
                                            .input_step = taps,
                                            .turned = turned};
    if (turned) {
        std::swap(source.outputs, source.inputs);
        std::swap(source.output_step, source.input_step);
        source.padded_inputs = outputs;
    }
    return {source, kernels::Precision::float32};
}

/// Only the inside: the border is zero and stays so.
void copy(const float* picture, const kernels::Plane& to) {
    const Index row = Index{to.width} * to.channels;
    for (int y = 0; y < to.height; ++y) std::copy_n(picture + y * row, row, to.at(y, 0));
}

/// in, out: [B,*,H,W] channels last.
void convolve(const Tensor& in, const kernels::WinogradFilters& filters, const float* bias, Tensor& out) {
    const kernels::Plane plane{.height = static_cast<int>(in.size(2)),
                               .width = static_cast<int>(in.size(3)),
                               .channels = filters.inputs(),
                               .border = 1};
    const int outputs = filters.outputs();
    Scratch planes(plane.floats()), scratch(kernels::winograd_scratch(plane, outputs));
    const float* from = in.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    const Index pixels = Index{plane.height} * plane.width;
    kernels::parallel(static_cast<int>(in.size(0)), [&](int n) {
        auto own = plane;
        own.data = planes.of_this_thread();
        copy(from + n * pixels * plane.channels, own);
        const kernels::WinogradConvolution convolution{.filters = &filters,
                                                       .bias = bias,
                                                       .out = to + n * pixels * outputs,
                                                       .pixel = outputs,
                                                       .line = Index{plane.width} * outputs};
        kernels::winograd(kernels::kernels(), own, {&convolution, 1}, scratch.of_this_thread());
    });
}

struct Winograd : torch::autograd::Function<Winograd> {
    static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                          const Tensor& bias_) {
        const auto bias = bias_.contiguous();
        auto y = torch::empty({x.size(0), weight.size(0), x.size(2), x.size(3)},
                              x.options().memory_format(channels_last));
        convolve(x, filters_of(weight, /*turned=*/false), bias.const_data_ptr<float>(), y);
        context->save_for_backward({x, weight});
        return y;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1];
        const auto grad = grads[0].contiguous(channels_last);
        Tensor x_grad;
        if (context->needs_input_grad(0)) {
            x_grad = torch::empty_like(x);
            convolve(grad, filters_of(weight, /*turned=*/true), nullptr, x_grad);
        }
        const std::int64_t bias_sizes[] = {weight.size(0)};
        const auto of_filters =
            at::convolution_backward(grad, x, weight, bias_sizes, {1, 1}, {1, 1}, {1, 1},
                                     /*transposed=*/false, {0, 0}, /*groups=*/1, {false, true, true});
        return {x_grad, std::get<1>(of_filters), std::get<2>(of_filters)};
    }
};

}  // namespace

bool takes_winograd(const Tensor& x, const Tensor& weight, std::int64_t stride, std::int64_t padding) {
    constexpr std::int64_t least_pixels = 256;
    const auto whole = [](std::int64_t channels) { return channels % kernels::column_step == 0; };
    return x.is_cpu() && x.scalar_type() == torch::kFloat32 &&
           !at::autocast::is_autocast_enabled(torch::kCPU) && x.is_contiguous(channels_last) &&
           x.size(2) * x.size(3) >= least_pixels && stride == 1 && padding == 1 && weight.size(2) == 3 &&
           weight.size(3) == 3 && whole(weight.size(0)) && whole(weight.size(1));
}

Tensor winograd(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return Winograd::apply(x, weight, bias);
}

}  // namespace stl::fused
