#include "stl/ops/tiled_convolution.h"

#include "stl/cpu/convolution.h"
#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

/// weight: [groups * outputs, inputs, K, K]
cpu::ConvolutionShape shape_of(const Tensor& x, const Tensor& weight, std::int64_t groups) {
    return {.pictures = static_cast<int>(x.size(0)),
            .height = static_cast<int>(x.size(2)),
            .width = static_cast<int>(x.size(3)),
            .groups = static_cast<int>(groups),
            .inputs = static_cast<int>(weight.size(1)),
            .outputs = static_cast<int>(weight.size(0) / groups),
            .kernel = static_cast<int>(weight.size(2))};
}

/// in: [B,groups * inputs,H,W] bfloat16, channels last.
Tensor convolved(const Tensor& in, const cpu::Filters& filters, const Tensor& bias,
                 const cpu::Kernels& kernels) {
    auto shape = filters.shape;
    if (filters.turned) std::swap(shape.inputs, shape.outputs);
    auto packed = torch::empty({static_cast<std::int64_t>(filters.packed_floats())});
    filters.pack(kernels, packed.mutable_data_ptr<float>());
    auto out = torch::empty({in.size(0), std::int64_t{shape.groups} * shape.outputs, in.size(2), in.size(3)},
                            in.options().memory_format(channels_last));
    cpu::PictureConvolution convolution{.shape = shape,
                                        .in = halves(in),
                                        .filters = packed.const_data_ptr<float>(),
                                        .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                                        .out = static_cast<std::uint16_t*>(out.mutable_data_ptr())};
    Scratch scratch(convolution.scratch_floats());
    convolution.scratch = scratch.all();
    convolution.run(kernels);
    return out;
}

/// Of weight and bias. in, grad: bfloat16, channels last.
std::pair<Tensor, Tensor> filter_gradient(const Tensor& in, const Tensor& grad, const Tensor& weight,
                                          const cpu::ConvolutionShape& shape, const cpu::Kernels& kernels) {
    auto out = torch::empty(weight.sizes()), bias = torch::empty({weight.size(0)});
    cpu::FilterGradient gradient{.shape = shape,
                                 .in = halves(in),
                                 .grad = halves(grad),
                                 .out = out.mutable_data_ptr<float>(),
                                 .bias_out = bias.mutable_data_ptr<float>()};
    auto sums = torch::empty({static_cast<std::int64_t>(gradient.sums_floats())});
    Scratch scratch(gradient.scratch_floats());
    gradient.sums = sums.mutable_data_ptr<float>();
    gradient.scratch = scratch.all();
    gradient.run(kernels);
    return {out, bias};
}

struct TiledConvolutionFunction : torch::autograd::Function<TiledConvolutionFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight_,
                          const Tensor& bias, std::int64_t groups, const cpu::Kernels* kernels) {
        const auto in = x.to(torch::kBFloat16).contiguous(channels_last), weight = weight_.contiguous();
        context->save_for_backward({in, weight});
        save_kernels(*context, *kernels);
        context->saved_data["groups"] = groups;
        context->saved_data["type"] = x.scalar_type();
        return convolved(in,
                         {.shape = shape_of(in, weight, groups), .weight = weight.const_data_ptr<float>()},
                         bias.contiguous(), *kernels);
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &in = saved[0], &weight = saved[1];
        const auto& kernels = saved_kernels(*context);
        const auto groups = context->saved_data["groups"].toInt();
        const auto shape = shape_of(in, weight, groups);
        const auto grad = grads[0].to(torch::kBFloat16).contiguous(channels_last);
        Gradients found(5);
        if (context->needs_input_grad(0)) {
            const cpu::Filters turned{
                .shape = shape, .weight = weight.const_data_ptr<float>(), .turned = true};
            found[0] = convolved(grad, turned, {}, kernels).to(context->saved_data["type"].toScalarType());
        }
        if (context->needs_input_grad(1) || context->needs_input_grad(2))
            std::tie(found[1], found[2]) = filter_gradient(in, grad, weight, shape, kernels);
        return found;
    }
};

}  // namespace

bool takes_tiled_convolution(const Tensor& x, const Convolution& c) {
    const auto whole = [](std::int64_t channels) { return channels % cpu::column_step == 0; };
    const auto kernel = c.kernel();
    return takes(x) && on_tiles(x) && kernel > 1 && kernel % 2 == 1 && c.weight.size(3) == kernel &&
           c.stride == 1 && c.dilation == 1 && c.padding == kernel / 2 && whole(c.weight.size(1)) &&
           whole(c.weight.size(0) / c.groups);
}

Tensor tiled_convolution(const Tensor& x, const Convolution& c, const cpu::Kernels& kernels) {
    return TiledConvolutionFunction::apply(x, c.weight, c.bias, c.groups, &kernels);
}

}  // namespace stl::ops
