#include "stl/ops/convolve.h"
#include "stl/ops/cpu_operations.h"
#include "stl/ops/planes.h"
#include "stl/ops/tiled_convolution.h"
#include "stl/ops/winograd.h"

namespace stl::ops {
namespace {

/// x channels last, its four places of a pixel one after the other where it is to be shuffled.
struct GroupNormSiluFunction : torch::autograd::Function<GroupNormSiluFunction> {
    static Tensor forward(AutogradContext* context, const Tensor& x_, const Tensor& gamma, const Tensor& beta,
                          std::int64_t groups, double eps, bool shuffle) {
        const auto x = x_.contiguous(channels_last);
        const int grow = shuffle ? 2 : 1;
        auto out = torch::empty({x.size(0), gamma.size(0), x.size(2) * grow, x.size(3) * grow},
                                x.options().memory_format(channels_last));
        auto mean = torch::empty({x.size(0), groups}), rstd = torch::empty({x.size(0), groups});
        auto picture = task(x, gamma, beta, shuffle, groups);
        picture.eps = static_cast<float>(eps);
        Scratch scratch(scratch_floats(picture));
        const Pictures in(x), to(out);
        auto* m = mean.mutable_data_ptr<float>();
        auto* r = rstd.mutable_data_ptr<float>();
        cpu::parallel(static_cast<int>(x.size(0)), [&](int n) {
            auto own = picture;
            own.in = in[n];
            own.out = to[n];
            own.mean = m + n * groups;
            own.rstd = r + n * groups;
            own.scratch = reinterpret_cast<double*>(scratch.of_this_thread());
            cpu::kernels().training.group_norm_silu(own);
        });
        context->save_for_backward({x, gamma, beta, mean, rstd});
        context->saved_data["shuffle"] = shuffle;
        return out;
    }

    static Gradients backward(AutogradContext* context, const Gradients& grads) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &gamma = saved[1];
        const auto mean = saved[3], rstd = saved[4];
        const auto grad = grads[0].to(x.scalar_type()).contiguous(channels_last);
        const auto groups = mean.size(1), channels = gamma.size(0);
        auto x_grad = torch::empty_like(x);
        auto gamma_grad = torch::empty({x.size(0), channels}),
             beta_grad = torch::empty({x.size(0), channels});
        const auto picture = task(x, gamma, saved[2], context->saved_data["shuffle"].toBool(), groups);
        Scratch scratch(scratch_floats(picture));
        const Pictures in(x), from(grad), to(x_grad);
        auto* m = mean.mutable_data_ptr<float>();
        auto* r = rstd.mutable_data_ptr<float>();
        auto* dgamma = gamma_grad.mutable_data_ptr<float>();
        auto* dbeta = beta_grad.mutable_data_ptr<float>();
        cpu::parallel(static_cast<int>(x.size(0)), [&](int n) {
            cpu::GroupNormSiluBackward own{.forward = picture};
            own.forward.in = in[n];
            own.forward.mean = m + n * groups;
            own.forward.rstd = r + n * groups;
            own.forward.scratch = reinterpret_cast<double*>(scratch.of_this_thread());
            own.grad = from[n];
            own.in_grad = to[n];
            own.gamma_grad = dgamma + n * channels;
            own.beta_grad = dbeta + n * channels;
            cpu::kernels().training.group_norm_silu_backward(own);
        });
        return {x_grad, gamma_grad.sum(0), beta_grad.sum(0), Tensor(), Tensor(), Tensor()};
    }

  private:
    /// Where a picture begins.
    struct Pictures {
        explicit Pictures(const Tensor& x) : first(bytes(x)), step(x.stride(0) * x.element_size()) {}
        void* operator[](int n) const { return first + n * step; }

        std::byte* first;
        std::int64_t step;
    };

    /// What all pictures share.
    static cpu::GroupNormSilu task(const Tensor& x, const Tensor& gamma, const Tensor& beta, bool shuffle,
                                   std::int64_t groups) {
        return {.precision = precision_of(x),
                .channels = static_cast<int>(gamma.size(0)),
                .groups = static_cast<int>(groups),
                .height = static_cast<int>(x.size(2)),
                .width = static_cast<int>(x.size(3)),
                .shuffle = shuffle,
                .gamma = gamma.const_data_ptr<float>(),
                .beta = beta.const_data_ptr<float>()};
    }

    static std::size_t scratch_floats(const cpu::GroupNormSilu& picture) {
        return cpu::group_norm_scratch(picture.channels) * sizeof(double) / sizeof(float);
    }
};

/// contiguous() would leave what has one channel in both orders at once, which ATen takes for channels first.
Tensor in_channels_last(const Tensor& t) {
    return t.suggest_memory_format() == channels_last ? t : t.clone(channels_last);
}

/// The pixels that 1x1 filters see going in steps of `stride`.
Tensor strided_pixels(const Tensor& x, std::int64_t stride) {
    return x.slice(2, 0, c10::nullopt, stride).slice(3, 0, c10::nullopt, stride);
}

/// The outputs of a convolution in front of a shuffle, the four places of a pixel one after the other: from
/// c * 4 + place to place * C + c.
Tensor by_place(const Tensor& t) {
    return t.unflatten(0, {t.size(0) / 4, 4}).transpose(0, 1).flatten(0, 1);
}

}  // namespace

Tensor CpuOperations::conv_norm_silu(const Tensor& x, const Convolution& convolution, const GroupNorm& norm,
                                     bool shuffle) const {
    if (!takes(x)) return Operations::conv_norm_silu(x, convolution, norm, shuffle);
    const auto padding = convolution.padding;
    // oneDNN writes beside its memory in the gradient of strided 1x1 filters over under 16 channels, channels
    // last: their pixels are taken first.
    const bool of_pixels = convolution.kernel() == 1 && padding == 0 && convolution.stride > 1;
    const auto stride = of_pixels ? 1 : convolution.stride;
    const auto weight = shuffle ? by_place(convolution.weight) : convolution.weight;
    const auto bias = shuffle ? by_place(convolution.bias) : convolution.bias;
    const auto in = in_channels_last(of_pixels ? strided_pixels(x, convolution.stride) : x);
    const Convolution own{.weight = weight, .bias = bias, .stride = stride, .padding = padding};
    const auto y = [&] {
        if (takes_tiled_convolution(in, own)) return tiled_convolution(in, own, cpu::kernels());
        // On tiles oneDNN's convolutions take about half the time of Winograd's, which are in float32.
        if (!on_tiles(in) && takes_winograd(in, weight, stride, padding)) return winograd(in, weight, bias);
        const auto filters = in_channels_last(weight);
        return convolve(in, {.weight = filters, .bias = bias, .stride = stride, .padding = padding});
    }();
    return GroupNormSiluFunction::apply(y, norm.gamma, norm.beta, norm.groups, norm.eps, shuffle);
}

}  // namespace stl::ops
