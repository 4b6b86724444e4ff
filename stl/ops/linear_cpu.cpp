// Linear maps on the processor's tiles. Weights are rounded and packed where they are read, forward and back: a few
// per cent of the products' time. Activations are kept in bfloat16; the gradients of weights and biases are float32.
#include <optional>

#include "stl/cpu/matrix_product.h"
#include "stl/ops/cpu_operations.h"
#include "stl/ops/linear_cpu.h"
#include "stl/ops/planes.h"

namespace stl::ops {
namespace {

using Source = cpu::RightFactor::Source;

/// A right factor in memory of its own.
Tensor packed(const cpu::Kernels& kernels, const cpu::RightFactor& factor) {
    auto floats = torch::empty({static_cast<std::int64_t>(factor.packed_floats())});
    factor.pack(kernels, floats.mutable_data_ptr<float>());
    return floats;
}

cpu::RightFactor right_factor(const Tensor& matrix, Source source) {
    const auto rows = static_cast<int>(matrix.size(0)), columns = static_cast<int>(matrix.size(1));
    const bool turned = source == Source::turned_float32;
    return {.in = matrix.const_data_ptr(),
            .in_row = columns,
            .source = source,
            .depth = turned ? columns : rows,
            .columns = turned ? rows : columns};
}

/// product, of `right`, into a new matrix of `type`.
Tensor multiply(const cpu::Kernels& kernels, cpu::MatrixProduct product, const cpu::RightFactor& right,
                torch::Dtype type) {
    auto out = torch::empty({product.rows, right.columns}, type);
    const auto factor = packed(kernels, right);
    Scratch scratch(cpu::product_scratch());
    product.right = factor.const_data_ptr<float>();
    product.depth = right.depth;
    product.columns = right.columns;
    product.stored = precision_of(out);
    product.out = out.mutable_data_ptr();
    product.out_row = right.columns;
    product.scratch = scratch.all();
    product.run(kernels);
    return out;
}

/// Of the rows of x, a bfloat16 matrix.
cpu::MatrixProduct product_of(const Tensor& x) {
    return {.left = halves(x), .left_row = x.size(1), .rows = static_cast<int>(x.size(0))};
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
    /// x: [rows][inputs]
    static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight_,
                          const std::optional<Tensor>& bias_, const cpu::Kernels* kernels) {
        const auto rows = x.to(torch::kBFloat16).contiguous(), weight = weight_.contiguous();
        const auto bias = bias_ ? bias_->contiguous() : Tensor();
        context->save_for_backward({rows, weight});
        save_kernels(*context, *kernels);
        context->saved_data["bias"] = bias.defined();
        context->saved_data["type"] = x.scalar_type();
        auto product = product_of(rows);
        if (bias.defined()) product.bias = bias.const_data_ptr<float>();
        return multiply(*kernels, product, right_factor(weight, Source::turned_float32), torch::kBFloat16);
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &rows = saved[0], &weight = saved[1];
        const auto& kernels = saved_kernels(*context);
        const auto grad = grads[0].to(torch::kBFloat16).contiguous();
        Gradients found(4);
        if (context->needs_input_grad(0)) {
            found[0] = multiply(kernels, product_of(grad), right_factor(weight, Source::float32),
                                context->saved_data["type"].toScalarType());
        }
        if (context->needs_input_grad(1)) {
            auto sums = torch::empty({grad.size(1)});
            const cpu::MatrixProduct turned{.left = halves(grad),
                                            .left_row = grad.size(1),
                                            .turned = true,
                                            .left_sums = sums.mutable_data_ptr<float>(),
                                            .rows = static_cast<int>(grad.size(1))};
            found[1] = multiply(kernels, turned, right_factor(rows, Source::bfloat16), torch::kFloat32);
            if (context->saved_data["bias"].toBool()) found[2] = sums;
        }
        return found;
    }
};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const cpu::Kernels& kernels) {
    auto shape = x.sizes().vec();
    shape.back() = weight.size(0);
    return LinearFunction::apply(x.reshape({-1, weight.size(1)}), weight,
                                 bias.defined() ? std::optional(bias) : std::nullopt, &kernels)
        .view(shape);
}

Tensor CpuOperations::linear(const Tensor& x, const Tensor& weight, const Tensor& bias) const {
    const bool whole = weight.size(0) % cpu::column_step == 0 && weight.size(1) % cpu::column_step == 0;
    if (!on_tiles(x) || !whole || x.numel() == 0) return Operations::linear(x, weight, bias);
    return ops::linear(x, weight, bias, cpu::kernels());
}

}  // namespace stl::ops
