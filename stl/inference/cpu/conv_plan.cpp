#include "stl/inference/cpu/conv_plan.h"

#include <algorithm>
#include <cmath>

#include "stl/inference/cpu/layers.h"
#include "stl/models/simvp.h"

namespace stl::inference {
ConvPlan::ConvPlan(const BasicConv2d& layer, int in_channels, int height, int width, const Planning& planning)
    : precision_(in_channels % 2 == 0 ? planning.precision : Type::float32), in_channels_(in_channels) {
    const bool up = layer->sampling == Sampling::up;
    const auto& conv = up ? layer->upsampling->conv : layer->conv;
    const auto& options = conv->options;
    kernel_ = static_cast<int>(options.kernel);
    stride_ = static_cast<int>(options.stride);
    padding_ = static_cast<int>(options.padding);
    up_ = up ? 2 : 1;
    const int places = up_ * up_;
    channels_ = static_cast<int>(options.out) / places;
    out_channels_ = cpu::padded(channels_);
    out_height_ = ((height + 2 * padding_ - kernel_) / stride_ + 1) * up_;
    out_width_ = ((width + 2 * padding_ - kernel_) / stride_ + 1) * up_;
    eps_ = layer->norm->eps;
    gain_ = channels(layer->norm->weight);
    shift_ = channels(layer->norm->bias);
    const bool on_tiles = planning.kernels.has_tiles && precision_ == Type::bfloat16;
    if (on_tiles) stored_ = Type::bfloat16;
    winograd_ = !on_tiles && kernel_ == 3 && stride_ == 1 && in_channels_ % cpu::column_step == 0;
    // PixelShuffle takes place p of channel c from output c * places + p.
    const auto weight = conv->weight.detach().to(torch::kFloat32);
    for (int place = 0; place < places; ++place) {
        const auto own = torch::arange(channels_) * places + place;
        bias_.push_back(channels(conv->bias.detach().index_select(0, own)));
        const auto part = weight.index_select(0, own).contiguous();
        winograd_ ? plan_winograd(part) : plan_direct(part);
    }
}

void ConvPlan::plan_winograd(const torch::Tensor& weight) {
    const int inputs = static_cast<int>(weight.size(1));
    constexpr std::ptrdiff_t taps = 9;
    filters_.emplace_back(cpu::WinogradFilters::Source{.weight = weight.data_ptr<float>(),
                                                       .outputs = channels_,
                                                       .inputs = inputs,
                                                       .padded_inputs = in_channels_,
                                                       .output_step = inputs * taps,
                                                       .input_step = taps},
                          precision_);
}

void ConvPlan::plan_direct(const torch::Tensor& weight) {
    const int inputs = static_cast<int>(weight.size(1));
    const auto by_tap = weight.permute({0, 2, 3, 1}).contiguous();  // [outputs, ky, kx, inputs]
    cpu::Order depths;
    for (int tap = 0; tap < kernel_ * kernel_; ++tap) {
        for (int c = 0; c < in_channels_; ++c) depths.push_back(c < inputs ? tap * inputs + c : -1);
    }
    weights_.emplace_back(by_tap.data_ptr<float>(), kernel_ * kernel_ * inputs, cpu::in_order(channels_),
                          depths, precision_);
}

ConvPlan::Target ConvPlan::target(float* raw, int place) const {
    const Index line = Index{out_width_} * out_channels_;
    return {raw + place / up_ * line + Index{place % up_} * out_channels_, Index{up_} * out_channels_,
            up_ * line};
}

std::int64_t ConvPlan::macs() const {
    return std::int64_t{out_height_} * out_width_ * channels_ * in_channels_ * kernel_ * kernel_;
}

void ConvPlan::convolve(const Frame& frame, const Plane& in, float* raw) const {
    winograd_ ? winograd(frame, in, raw) : direct(frame, in, raw);
}

Plane ConvPlan::left_side(const Frame& frame, const Plane& in) const {
    if (precision_ == in.stored) return in;
    auto pairs = in;
    pairs.stored = precision_;
    pairs.data = frame.workspace.scratch(pairs.floats());
    // Channels are even: no pair is of two pixels.
    frame.kernels.narrow_rows({.in = in.data,
                               .in_row = in.line(),
                               .rows = in.lines(),
                               .columns = static_cast<int>(in.line()),
                               .out = pairs.data,
                               .out_row = pairs.line()});
    return pairs;
}

void ConvPlan::direct(const Frame& frame, const Plane& in, float* raw) const {
    const auto words = left_side(frame, in);
    std::array<Index, largest_spatio_kernel> taps{};
    for (int dy = 0; dy < kernel_; ++dy) taps[static_cast<std::size_t>(dy)] = dy * words.line();
    for (std::size_t place = 0; place < bias_.size(); ++place) {
        const auto to = target(raw, static_cast<int>(place));
        const auto& panels = weights_[place];
        for (int panel = 0; panel < panels.count(); ++panel) {
            cpu::Product p;
            p.precision = precision_;
            p.a = words.at(-padding_, -padding_);
            p.a_row = Index{stride_} * words.pixel();
            p.taps = taps.data();
            p.tap_count = kernel_;
            p.depth = kernel_ * words.pixel();
            p.w = panels.panel(panel);
            p.rows = out_width_ / up_;
            p.columns = panels.columns(panel);
            p.lines = out_height_ / up_;
            p.a_line = stride_ * words.line();
            p.out = to.first + panel * cpu::panel_columns;
            p.out_row = to.pixel;
            p.out_line = to.line;
            p.bias = bias_[place].data() + panel * cpu::panel_columns;
            frame.kernels.product(p);
        }
    }
}

void ConvPlan::winograd(const Frame& frame, const Plane& in, float* raw) const {
    std::array<cpu::WinogradConvolution, 4> places;
    for (std::size_t place = 0; place < filters_.size(); ++place) {
        const auto to = target(raw, static_cast<int>(place));
        places[place] = {.filters = &filters_[place],
                         .bias = bias_[place].data(),
                         .out = to.first,
                         .pixel = to.pixel,
                         .line = to.line};
    }
    cpu::winograd(frame.kernels, in, std::span(places).first(filters_.size()),
                  frame.workspace.scratch(cpu::winograd_scratch(in, out_channels_)));
}

void ConvPlan::norm(const Frame& frame, const float* raw, float* scale, float* shift) const {
    constexpr int groups = 2;
    const int rows = out_height_ * out_width_, size = channels_ / groups;
    const auto count = static_cast<std::size_t>(out_channels_);
    auto* sums = reinterpret_cast<double*>(frame.workspace.scratch(2 * count));
    std::fill_n(sums, count, 0.0);
    frame.kernels.column_sums(raw, out_channels_, rows, out_channels_, nullptr, sums);
    double mean[groups] = {}, squares[groups] = {};
    for (int c = 0; c < channels_; ++c) mean[c / size] += sums[c] / rows / size;
    for (int c = 0; c < out_channels_; ++c)
        shift[c] = static_cast<float>(mean[std::min(c / size, groups - 1)]);
    std::fill_n(sums, count, 0.0);
    frame.kernels.column_sums(raw, out_channels_, rows, out_channels_, shift, sums);
    for (int c = 0; c < channels_; ++c) squares[c / size] += sums[c] / rows / size;
    for (int c = 0; c < out_channels_; ++c) {
        const int group = std::min(c / size, groups - 1);
        const double factor = static_cast<double>(gain_.data()[c]) / std::sqrt(squares[group] + eps_);
        scale[c] = static_cast<float>(factor);
        shift[c] = static_cast<float>(static_cast<double>(shift_.data()[c]) - mean[group] * factor);
    }
}

}  // namespace stl::inference
