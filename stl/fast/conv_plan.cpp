#include "stl/fast/conv_plan.h"

#include <algorithm>
#include <cmath>

#include "stl/fast/layers.h"

namespace stl::fast {
namespace {

/// Tiles at a time: their points, before and after the products, stay in the second-level cache.
constexpr int tile_block = 64;

}  // namespace

ConvPlan::ConvPlan(const BasicConv2d& layer, int in_channels, int height, int width, Precision precision)
    : precision_(in_channels % 2 == 0 ? precision : Precision::float32),
      in_channels_(in_channels),
      height_(height),
      width_(width) {
    const bool up = layer->sampling == Sampling::up;
    const auto& conv = up ? layer->upsampling->conv : layer->conv;
    const auto& options = conv->options;
    kernel_ = static_cast<int>(options.kernel);
    stride_ = static_cast<int>(options.stride);
    padding_ = static_cast<int>(options.padding);
    up_ = up ? 2 : 1;
    const int places = up_ * up_;
    channels_ = static_cast<int>(options.out) / places;
    out_channels_ = kernels::padded(channels_);
    out_height_ = ((height + 2 * padding_ - kernel_) / stride_ + 1) * up_;
    out_width_ = ((width + 2 * padding_ - kernel_) / stride_ + 1) * up_;
    eps_ = layer->norm->eps;
    gain_ = channels(layer->norm->weight);
    shift_ = channels(layer->norm->bias);
    winograd_ = kernel_ == 3 && stride_ == 1 && in_channels_ >= kernels::column_step;
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
    const auto points = torch::empty({weight.size(0), inputs, kernels::winograd_points});
    for (std::int64_t i = 0; i < weight.size(0) * inputs; ++i) {
        kernels::winograd_weights(weight.data_ptr<float>() + i * 9,
                                  points.data_ptr<float>() + i * kernels::winograd_points);
    }
    auto depths = kernels::in_order(inputs);
    depths.resize(static_cast<std::size_t>(in_channels_), -1);
    const auto by_point = points.permute({2, 0, 1}).contiguous();
    for (int point = 0; point < kernels::winograd_points; ++point) {
        weights_.emplace_back(by_point[point].data_ptr<float>(), inputs, kernels::in_order(channels_), depths,
                              precision_);
    }
}

void ConvPlan::plan_direct(const torch::Tensor& weight) {
    const int inputs = static_cast<int>(weight.size(1));
    const auto by_tap = weight.permute({0, 2, 3, 1}).contiguous();  // [outputs, ky, kx, inputs]
    kernels::Order depths;
    for (int tap = 0; tap < kernel_ * kernel_; ++tap) {
        for (int c = 0; c < in_channels_; ++c) depths.push_back(c < inputs ? tap * inputs + c : -1);
    }
    weights_.emplace_back(by_tap.data_ptr<float>(), kernel_ * kernel_ * inputs, kernels::in_order(channels_),
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
    if (precision_ == Precision::float32) return in;
    auto pairs = in;
    pairs.channels = kernels::words_of(precision_, in.channels);
    pairs.data = frame.workspace.scratch(pairs.floats());
    // Channels are even and lines without gaps, so that the plane is one row.
    frame.kernels.narrow_rows(
        {.in = in.data, .rows = 1, .columns = static_cast<int>(in.floats()), .out = pairs.data});
    return pairs;
}

void ConvPlan::direct(const Frame& frame, const Plane& in, float* raw) const {
    const auto words = left_side(frame, in);
    std::array<Index, 64> taps{};
    for (int dy = 0; dy < kernel_; ++dy) taps[static_cast<std::size_t>(dy)] = dy * words.line();
    for (std::size_t place = 0; place < bias_.size(); ++place) {
        const auto to = target(raw, static_cast<int>(place));
        const auto& panels = weights_[place];
        for (int y = 0; y < out_height_ / up_; ++y) {
            for (int panel = 0; panel < panels.count(); ++panel) {
                kernels::Product p;
                p.precision = precision_;
                p.a = words.at(y * stride_ - padding_, -padding_);
                p.a_row = Index{stride_} * words.channels;
                p.taps = taps.data();
                p.tap_count = kernel_;
                p.depth = kernel_ * words.channels;
                p.w = panels.panel(panel);
                p.rows = out_width_ / up_;
                p.columns = panels.columns(panel);
                p.out = to.first + y * to.line + panel * kernels::panel_columns;
                p.out_row = to.pixel;
                p.bias = bias_[place].data() + panel * kernels::panel_columns;
                frame.kernels.product(p);
            }
        }
    }
}

void ConvPlan::winograd(const Frame& frame, const Plane& in, float* raw) const {
    constexpr int side = kernels::winograd_tile, points = kernels::winograd_points;
    const int across = (width_ + side - 1) / side, down = (height_ + side - 1) / side;
    const int wide = std::min(across, tile_block), high = std::max(1, tile_block / wide);
    const int words = kernels::words_of(precision_, in_channels_);
    const Index in_points = Index{wide} * high * words, out_points = Index{wide} * high * out_channels_;
    float* before = frame.workspace.scratch(static_cast<std::size_t>(points * (in_points + out_points)));
    float* after = before + points * in_points;
    for (int top = 0; top < down; top += high) {
        for (int left = 0; left < across; left += wide) {
            const int lines = std::min(high, down - top), tiles = std::min(wide, across - left);
            for (int i = 0; i < lines; ++i) {
                frame.kernels.winograd_input({.precision = precision_,
                                              .in = in.at((top + i) * side - 1, left * side - 1),
                                              .pixel = in.channels,
                                              .line = in.line(),
                                              .tiles = tiles,
                                              .columns = in_channels_,
                                              .out = before + Index{i} * tiles * words,
                                              .point_stride = in_points});
            }
            for (std::size_t place = 0; place < bias_.size(); ++place) {
                for (int point = 0; point < points; ++point) {
                    const auto& panels = weights_[place * points + static_cast<std::size_t>(point)];
                    for (int panel = 0; panel < panels.count(); ++panel) {
                        kernels::Product p;
                        p.precision = precision_;
                        p.a = before + point * in_points;
                        p.a_row = words;
                        p.depth = words;
                        p.w = panels.panel(panel);
                        p.rows = lines * tiles;
                        p.columns = panels.columns(panel);
                        p.out = after + point * out_points + panel * kernels::panel_columns;
                        p.out_row = out_channels_;
                        frame.kernels.product(p);
                    }
                }
                const auto to = target(raw, static_cast<int>(place));
                for (int i = 0; i < lines; ++i) {
                    const int y = (top + i) * side, x = left * side;
                    frame.kernels.winograd_output({.in = after + Index{i} * tiles * out_channels_,
                                                   .point_stride = out_points,
                                                   .tiles = tiles,
                                                   .columns = out_channels_,
                                                   .bias = bias_[place].data(),
                                                   .out = to.first + y * to.line + x * to.pixel,
                                                   .out_pixel = to.pixel,
                                                   .out_line = to.line,
                                                   .width = width_ - x,
                                                   .height = height_ - y});
                }
            }
        }
    }
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

}  // namespace stl::fast
