#include "stl/inference/cpu/layers.h"

#include <fmt/format.h>

#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

torch::Tensor doubles(const torch::Tensor& t) {
    return t.detach().to(torch::kDouble);
}

}  // namespace

cpu::Buffer channels(const torch::Tensor& values) {
    return channels(values, cpu::in_order(static_cast<int>(values.numel())));
}

cpu::Buffer channels(const torch::Tensor& values, const cpu::Order& order) {
    const auto flat = values.detach().flatten().to(torch::kFloat32).contiguous();
    const float* from = flat.data_ptr<float>();
    cpu::Buffer buffer(static_cast<std::size_t>(cpu::padded(static_cast<int>(order.size()))));
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (order[i] >= 0) buffer.data()[i] = from[order[i]];
    }
    return buffer;
}

PointwisePlan::PointwisePlan(const Map& map, const Planning& planning)
    : PointwisePlan(map, cpu::in_order(static_cast<int>(map.w.size(0))),
                    cpu::in_order(static_cast<int>(map.w.size(1))), planning) {}

PointwisePlan::PointwisePlan(const Map& map, const cpu::Order& outputs, const cpu::Order& inputs,
                             const Planning& planning)
    : bias_(channels(map.b, outputs)),
      inputs_(static_cast<int>(inputs.size())),
      name_(fmt::format("pointwise {} -> {}", inputs.size(), outputs.size())) {
    const auto w = map.w.to(torch::kFloat32).contiguous();
    // Tiles read their operands so much faster than they come from the second-level cache that less of it is best.
    constexpr int on_tiles = 256;
    if (planning.precision == Type::bfloat16 && planning.kernels.has_tiles) depth_block_ = on_tiles;
    panels_ =
        cpu::Panels(w.data_ptr<float>(), static_cast<int>(w.size(1)), outputs, inputs, planning.precision);
    choose(map, outputs, inputs, planning);
}

void PointwisePlan::choose(const Map& map, const cpu::Order& outputs, const cpu::Order& inputs,
                           const Planning& planning) {
    // Smaller products are not where the time goes.
    constexpr std::int64_t least_macs = std::int64_t{1} << 24;
    const std::int64_t rows = planning.rows, columns = panels_.outputs();
    if (planning.tuner == nullptr || rows * inputs_ * columns < least_macs) return;
    Workspace workspace;
    workspace.prepare(cpu::thread_count());
    const Frame frame{planning.kernels, workspace, planning.rows, 1};
    // Memory, and another copy of the weights, where nothing is remembered.
    Pixels in, out;
    const auto reserve = [&] {
        if (in.data != nullptr) return;
        in = workspace.pixels(slot::a, planning.rows, inputs_, planning.precision);
        out = workspace.pixels(slot::b, planning.rows, static_cast<int>(columns));
    };
    std::optional<LibraryProduct> library;
    const auto prepared = [&]() -> LibraryProduct& {
        if (!library) library.emplace(map.w, map.b, outputs, inputs, planning.precision);
        return *library;
    };
    const auto work = fmt::format("product {} {}x{} -> {}, {} threads",
                                  planning.precision == Type::bfloat16 ? "bf16" : "fp32", rows, inputs_,
                                  columns, cpu::thread_count());
    const Candidate candidates[] = {
        {"own",
         [&] {
             reserve();
             run(frame, in, out);
         }},
        {"libtorch",
         [&] {
             reserve();
             prepared().run(in, planning.rows, out);
         }},
    };
    if (candidates[planning.tuner->choose(work, candidates)].name == "own") return;
    name_ += ", by LibTorch";
    library_ = std::move(prepared());
    for (auto* vector : {&ones_, &zeros_}) vector->reserve(static_cast<std::size_t>(columns));
    std::fill_n(ones_.data(), columns, 1.0F);
}

Pixels PointwisePlan::library_sums(const Frame& frame) const {
    return frame.workspace.pixels(slot::products, frame.rows(), panels_.outputs());
}

void PointwisePlan::add(const Frame& frame, const Residual& residual, Pixels sums, Pixels out,
                        int panel) const {
    const int column = panel * cpu::panel_columns;
    const float* scale = residual.scale ? residual.scale : ones_.data();
    apply(frame, cpu::Op::affine_add, residual.pixels.from(column), sums, out, panels_.columns(panel),
          {.scale = scale + column, .shift = zeros_.data() + column});
}

void keep(const Frame& frame, Pixels part, Pixels out, int column, int columns) {
    if (out.stored != part.stored) store_rows(frame, part, out.from(column), frame.rows(), columns);
}

Pixels PointwisePlan::left_side(const Frame& frame, Pixels in) const {
    if (panels_.precision() == in.stored) return in;
    const auto pairs = frame.workspace.pixels(slot::pairs, frame.rows(), inputs_, Type::bfloat16);
    over_rows(frame.rows(),
              [&](int row, int rows) { store_rows(frame, in.below(row), pairs.below(row), rows, inputs_); });
    return pairs;
}

void PointwisePlan::multiply(const Frame& frame, Pixels words, Pixels out, const Residual& residual,
                             const Part& part) const {
    const auto [block, row, panel, next_follows] = part;
    const int first = block * depth_block_;
    const int column = panel * cpu::panel_columns;
    cpu::Product p;
    p.precision = panels_.precision();
    p.a = words.data + row * words.row + first;
    p.a_row = words.row;
    p.depth = std::min(depth_block_, panels_.depth() - first);
    p.w = panels_.panel(panel) + static_cast<Index>(first) * cpu::panel_columns;
    if (next_follows) p.next = panels_.panel(panel + 1) + static_cast<Index>(first) * cpu::panel_columns;
    p.rows = std::min(row_block, frame.rows() - row);
    p.columns = panels_.columns(panel);
    p.out = out.data + row * out.row;
    p.out_row = out.row;
    if (block > 0) {  // goes on with what the blocks before have made
        p.residual = p.out;
        p.residual_row = out.row;
    } else {
        p.bias = bias_.data() + column;
        if (residual.pixels.data) {
            p.residual = residual.pixels.data + row * residual.pixels.row + column;
            p.residual_row = residual.pixels.row;
            p.residual_scale = residual.scale ? residual.scale + column : nullptr;
        }
    }
    frame.kernels.product(p);
}

DepthwisePlan::DepthwisePlan(const Conv2d& convolution)
    : DepthwisePlan(convolution, cpu::in_order(static_cast<int>(convolution->options.out))) {}

DepthwisePlan::DepthwisePlan(const Conv2d& convolution, const cpu::Order& order, bool add_input)
    : bias_(channels(convolution->bias, order)),
      channels_(cpu::padded(static_cast<int>(order.size()))),
      kernel_(static_cast<int>(convolution->options.kernel)),
      dilation_(static_cast<int>(convolution->options.dilation)),
      name_(fmt::format("depthwise {0}x{0}", kernel_)) {
    const auto taps = kernel_ * kernel_;
    auto w = doubles(convolution->weight).flatten(1).t().contiguous();  // [taps, channels]
    if (add_input) w[taps / 2] += 1.0;
    weights_.reserve(static_cast<std::size_t>(taps) * static_cast<std::size_t>(channels_));
    for (int t = 0; t < taps; ++t) {
        const auto row = channels(w[t], order);
        std::copy_n(row.data(), channels_, weights_.data() + static_cast<Index>(t) * channels_);
    }
}

void DepthwisePlan::run(const Frame& frame, Pixels in, Pixels out, int column, int columns) const {
    frame.kernels.depthwise({.in = in.data,
                             .in_row = in.row,
                             .w = weights_.data() + column,
                             .w_row = channels_,
                             .bias = bias_.data() + column,
                             .out = out.data,
                             .out_row = out.row,
                             .height = frame.height,
                             .width = frame.width,
                             .columns = columns,
                             .kernel = kernel_,
                             .dilation = dilation_,
                             .scratch = frame.workspace.scratch(
                                 cpu::depthwise_scratch(frame.height, frame.width, kernel_, dilation_))});
}

void DepthwisePlan::run(const Frame& frame, Pixels in, Pixels out) const {
    const Trace::Timed timed(frame.trace, name_);
    over_columns(channels_, [&](int column, int columns) {
        run(frame, in.from(column), out.from(column), column, columns);
    });
}

void apply(const Frame& frame, cpu::Op op, Pixels a, Pixels b, Pixels out, int columns, Vectors vectors) {
    frame.kernels.apply(op, {.a = a.data,
                             .a_row = a.row,
                             .b = b.data,
                             .b_row = b.row,
                             .scale = vectors.scale,
                             .shift = vectors.shift,
                             .stored = out.stored,
                             .out = out.data,
                             .out_row = out.row,
                             .rows = frame.rows(),
                             .columns = columns});
}

void column_means(const Frame& frame, Pixels in, int columns, const float* mean, double* out) {
    std::fill_n(out, columns, 0.0);
    frame.kernels.column_sums(in.data, in.row, frame.rows(), columns, mean, out);
    for (int c = 0; c < columns; ++c) out[c] /= frame.rows();
}

void normalise(const Frame& frame, Pixels in, Pixels out, int channels, double eps) {
    const Trace::Timed timed(frame.trace, "layer norm");
    const Index own_row = cpu::padded(channels);
    over_rows(frame.rows(), [&](int row, int rows) {
        const auto from = in.below(row), to = out.below(row);
        auto values = to;
        if (to.stored == Type::bfloat16)
            values = {frame.workspace.scratch(static_cast<std::size_t>(rows * own_row)), own_row};
        frame.kernels.normalise_rows(from.data, from.row, rows, channels, static_cast<float>(eps),
                                     values.data, values.row);
        if (values.stored != to.stored) store_rows(frame, values, to, rows, channels);
    });
}

MlpPlan::MlpPlan(const Map& fc1, const Map& fc2, const Planning& planning)
    : fc1_(fc1, planning), fc2_(fc2, planning), hidden_(static_cast<int>(fc1.w.size(0))) {}

MlpPlan::MlpPlan(const Map& fc1, const Conv2d& dwconv, const Map& fc2, const Planning& planning)
    : fc1_(fc1, planning),
      fc2_(fc2, planning),
      dwconv_(dwconv),
      has_dwconv_(true),
      hidden_(static_cast<int>(fc1.w.size(0))) {}

Pixels MlpPlan::hidden_pixels(const Frame& frame) const {
    return frame.workspace.pixels(slot::hidden, frame.rows(), hidden_, fc2_.precision());
}

void MlpPlan::run(const Frame& frame, Pixels in, Pixels x) const {
    fc2_.run(frame, hidden(frame, in, nullptr), x, {x});
}

}  // namespace stl::inference
