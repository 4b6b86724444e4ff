#include "stl/ops/winograd.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <cstring>

#include "stl/cpu/winograd.h"
#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

/// `turned`: the filters that take the output's gradient to the input's.
cpu::WinogradFilters filters_of(const Tensor& weight_, bool turned) {
    const auto weight = weight_.contiguous();
    const int outputs = static_cast<int>(weight.size(0)), inputs = static_cast<int>(weight.size(1));
    constexpr std::ptrdiff_t taps = 9;
    cpu::WinogradFilters::Source source{.weight = weight.const_data_ptr<float>(),
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
    return {source, cpu::Type::float32};
}

/// Only the inside: the border is zero and stays so.
void copy(const std::byte* picture, const cpu::Plane& to) {
    const auto row = static_cast<std::size_t>(to.width * to.pixel()) * sizeof(float);
    for (int y = 0; y < to.height; ++y)
        std::memcpy(to.at(y, 0), picture + static_cast<std::size_t>(y) * row, row);
}

/// One picture of x, without memory.
cpu::Plane plane_of(const Tensor& x) {
    return {.height = static_cast<int>(x.size(2)),
            .width = static_cast<int>(x.size(3)),
            .channels = static_cast<int>(x.size(1)),
            .border = 1,
            .stored = precision_of(x)};
}

/// in, out: [B,*,H,W] channels last, of one type.
void convolve(const Tensor& in, const cpu::WinogradFilters& filters, const float* bias, Tensor& out) {
    const auto plane = plane_of(in);
    const int outputs = filters.outputs();
    Scratch planes(plane.floats()), scratch(cpu::winograd_scratch(plane, outputs));
    const auto* from = static_cast<const std::byte*>(in.const_data_ptr());
    auto* to = bytes(out);
    const auto from_step = in.stride(0) * in.element_size(), to_step = out.stride(0) * out.element_size();
    cpu::parallel(static_cast<int>(in.size(0)), [&](int n) {
        auto own = plane;
        own.data = planes.of_this_thread();
        copy(from + n * from_step, own);
        const cpu::WinogradConvolution convolution{.filters = &filters,
                                                   .bias = bias,
                                                   .stored = plane.stored,
                                                   .out = to + n * to_step,
                                                   .pixel = outputs,
                                                   .line = Index{plane.width} * outputs};
        cpu::winograd(cpu::kernels(), own, {&convolution, 1}, scratch.of_this_thread());
    });
}

using Sums = cpu::WinogradFilterSums;

/// What every thread sums in stays in the caches and is little beside the weights' other memory.
bool sums_are_small(const Tensor& weight) {
    constexpr std::size_t floats = std::size_t{1} << 22;
    return Sums::sums_floats(static_cast<int>(weight.size(1)), static_cast<int>(weight.size(0))) <= floats;
}

/// Gradient of weight, [O,I,3,3]. x: [B,I,H,W], grad: [B,O,H,W], channels last, of one type.
Tensor filter_gradient(const Tensor& x, const Tensor& weight, const Tensor& grad) {
    if (!sums_are_small(weight)) {
        const auto of_all = at::convolution_backward(grad, x, weight.to(x.scalar_type()), {weight.size(0)},
                                                     {1, 1}, {1, 1}, {1, 1}, /*transposed=*/false, {0, 0},
                                                     /*groups=*/1, {false, true, false});
        return std::get<1>(of_all).to(torch::kFloat32);
    }
    const auto plane = plane_of(x);
    const int inputs = plane.channels, outputs = static_cast<int>(grad.size(1));
    const int pictures = static_cast<int>(x.size(0)), parts = std::min(cpu::thread_count(), pictures);
    const auto size = Sums::sums_floats(inputs, outputs);
    auto sums = torch::zeros({parts, static_cast<std::int64_t>(size)});
    auto* const first_sum = sums.mutable_data_ptr<float>();
    Scratch planes(plane.floats()), scratch(Sums::scratch_floats(plane.width, inputs, outputs));
    const auto x_step = x.stride(0) * x.element_size(), grad_step = grad.stride(0) * grad.element_size();
    cpu::parallel(parts, [&](int part) {
        auto own = plane;
        own.data = planes.of_this_thread();
        Sums filters(cpu::kernels(), plane.width, inputs, outputs, scratch.of_this_thread(),
                     first_sum + static_cast<std::size_t>(part) * size);
        for (int n = pictures * part / parts; n < pictures * (part + 1) / parts; ++n) {
            copy(bytes(x) + n * x_step, own);
            filters.add(own, bytes(grad) + n * grad_step);
        }
        filters.finish();
    });
    const auto total = parts > 1 ? sums.sum(0) : sums;
    const auto* from = total.const_data_ptr<float>();
    auto weight_grad = torch::empty({outputs, inputs, 3, 3});
    auto* to = weight_grad.mutable_data_ptr<float>();
    cpu::parallel(outputs, [&](int o) {
        for (int i = 0; i < inputs; ++i) {
            float points[cpu::winograd_points];
            for (int p = 0; p < cpu::winograd_points; ++p)
                points[p] = from[(Index{p} * inputs + i) * outputs + o];
            cpu::winograd_weights_gradient(points, to + (Index{o} * inputs + i) * 9);
        }
    });
    return weight_grad;
}

struct WinogradFunction : torch::autograd::Function<WinogradFunction> {
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
        return {x_grad, filter_gradient(x, weight, grad),
                grad.sum({0, 2, 3}, /*keepdim=*/false, torch::kFloat32)};
    }
};

}  // namespace

bool takes_winograd(const Tensor& x, const Tensor& weight, std::int64_t stride, std::int64_t padding) {
    constexpr std::int64_t least_pixels = 256;
    const auto whole = [](std::int64_t channels) { return channels % cpu::column_step == 0; };
    return takes_type(x) && x.is_contiguous(channels_last) && x.size(2) * x.size(3) >= least_pixels &&
           stride == 1 && padding == 1 && weight.size(2) == 3 && weight.size(3) == 3 &&
           whole(weight.size(0)) && whole(weight.size(1));
}

Tensor winograd(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return WinogradFunction::apply(
        at::autocast::is_autocast_enabled(torch::kCPU) ? x.to(torch::kBFloat16) : x, weight, bias);
}

}  // namespace stl::ops
