// Depthwise convolution over planes, forward and backward, for the operations that begin with one.
#pragma once

#include "stl/ops/planes.h"

namespace stl::ops {

/// One filter per channel, applied to planes, with scratch memory for each thread.
class Filter {
  public:
    Filter(const Planes& planes, const Tensor& weight, std::int64_t dilation)
        : planes_(planes),
          weight_(weight.const_data_ptr<float>()),
          kernel_(static_cast<int>(weight.size(2))),
          dilation_(static_cast<int>(dilation)),
          scratch_(cpu::plane_scratch(planes.height, planes.width, kernel_, dilation_)) {}

    void forward(const float* in, int channel, float bias, float* out) { run(in, channel, false, bias, out); }
    /// Computes the input's gradient from the output's.
    void backward(const float* grad, int channel, float* in_grad) { run(grad, channel, true, 0, in_grad); }

    /// The channel's weight and bias gradients. The planes of consecutive images are `picture` floats apart in the
    /// input and `grad_picture` in the gradient.
    void weights(const float* in, const float* grad, Index grad_picture, int channel, float* weight_grad,
                 float* bias_grad) {
        cpu::kernels().training.plane_depthwise_weights({.in = in,
                                                         .grad = grad,
                                                         .batch = planes_.batch,
                                                         .in_step = planes_.picture,
                                                         .grad_step = grad_picture,
                                                         .height = planes_.height,
                                                         .width = planes_.width,
                                                         .kernel = kernel_,
                                                         .dilation = dilation_,
                                                         .w_grad = weight_grad + taps(channel),
                                                         .bias_grad = bias_grad + channel,
                                                         .scratch = scratch_.of_this_thread()});
    }

  private:
    Index taps(int channel) const { return static_cast<Index>(channel) * kernel_ * kernel_; }

    void run(const float* in, int channel, bool flipped, float bias, float* out) {
        cpu::kernels().training.plane_depthwise({.in = in,
                                                 .w = weight_ + taps(channel),
                                                 .flipped = flipped,
                                                 .bias = bias,
                                                 .out = out,
                                                 .height = planes_.height,
                                                 .width = planes_.width,
                                                 .kernel = kernel_,
                                                 .dilation = dilation_,
                                                 .scratch = scratch_.of_this_thread()});
    }

    const Planes planes_;
    const float* weight_;
    int kernel_, dilation_;
    Scratch scratch_;
};

/// A channel's planes of the output's gradient; those of consecutive images are `picture` floats apart.
struct ChannelGrad {
    const float* first;
    Index picture;
};

/// The gradients of x, weight and bias, channel by channel. output_grad(channel) gives the channel's
/// ChannelGrad, which is no longer needed when the same thread asks for another.
template <class OutputGrad>
Gradients depthwise_gradients(const Tensor& x, const Tensor& weight, std::int64_t dilation, bool wants_x,
                              const OutputGrad& output_grad) {
    const Planes p(x);
    auto x_grad = wants_x ? torch::empty(x.sizes()) : Tensor();
    auto weight_grad = torch::empty_like(weight), bias_grad = torch::empty({x.size(1)});
    Filter filter(p, weight, dilation);
    const auto* in = x.const_data_ptr<float>();
    auto* dx = wants_x ? x_grad.mutable_data_ptr<float>() : nullptr;
    auto* dw = weight_grad.mutable_data_ptr<float>();
    auto* db = bias_grad.mutable_data_ptr<float>();
    cpu::parallel(p.channels, [&](int channel) {
        const ChannelGrad grad = output_grad(channel);
        filter.weights(in + channel * p.size, grad.first, grad.picture, channel, dw, db);
        for (int n = 0; wants_x && n < p.batch; ++n) {
            filter.backward(grad.first + n * grad.picture, channel,
                            dx + (static_cast<Index>(n) * p.channels + channel) * p.size);
        }
    });
    return {x_grad, weight_grad, bias_grad};
}

}  // namespace stl::ops
