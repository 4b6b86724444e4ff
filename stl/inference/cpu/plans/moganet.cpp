// MogaNet: x + s1 * (proj_2(SiLU(gate(y)) * SiLU(value(y))) + n), n = BN(x), then the channel aggregation.
//
// y's channels are kept in the order in which the depthwise orders split them, each part padded to whole
// vectors; the maps around it are packed in that order. In the perceptron h + sigma * (h - g), g being one
// value a pixel, goes through fc2 as fc2(diag(1 + sigma) h) minus g times a fixed vector, so that y is never
// written.
#include "stl/models/translators/moganet.h"

#include <array>

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

using cpu::Op;
using cpu::Order;

torch::Tensor doubles(const torch::Tensor& t) {
    return t.detach().to(torch::kDouble).flatten();
}

/// Part of the depthwise orders: channels [first, first + count) of DW_conv0's.
struct Part {
    int first = 0, columns = 0;  ///< in the padded order
    DepthwisePlan convolution;
};

class MogaPlan : public BlockPlan {
  public:
    MogaPlan(const MogaBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)) {
        const auto maps = block.folded();
        plan_aggregation(*block.attn, maps.attention, planning);
        plan_perceptron(*block.mlp, maps.mlp, planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        aggregate(frame, x);
        // Each panel's share of the decomposition, then their sum.
        const int panels = (mlp_.width() + cpu::panel_columns - 1) / cpu::panel_columns;
        const Index share = cpu::padded(frame.rows());
        const auto shares = frame.workspace.floats(slot::a, static_cast<std::size_t>((panels + 1) * share));
        const auto h = mlp_.hidden(frame, x, [&](int column, int columns, Pixels part) {
            frame.kernels.dot_rows(part.data, part.row, frame.rows(), columns, decompose_.data() + column, 0,
                                   shares + column / cpu::panel_columns * share, 1);
        });
        float* g = shares + panels * share;
        decompose(frame, shares, panels, g);
        mlp_.last().run(frame, h, x, {x}, [&](int column, int columns, Pixels part) {
            apply(frame, Op::subtract_outer, part, {g, 1}, part, columns, {.scale = outer_.data() + column});
        });
    }

  private:
    void plan_aggregation(const MultiOrderGatedAggregationImpl& attn, const FoldedBranch& maps,
                          const Planning& planning) {
        const auto& value = *attn.value;
        const std::array<int, 3> sizes{static_cast<int>(value.channels_0), static_cast<int>(value.channels_1),
                                       static_cast<int>(value.channels_2)};
        const auto order = cpu::padded_parts(sizes);
        const auto all = cpu::in_order(channels_);
        width_ = static_cast<int>(order.size());
        proj_1_ = PointwisePlan(maps.first, order, all, planning);
        sigma_ = channels(attn.sigma, order);
        sigma_plus_one_ = channels(attn.sigma.detach() + 1.0, order);
        gate_ = PointwisePlan(Map::of(attn.gate), all, order, planning);
        mix_ = PointwisePlan(Map::of(value.PW_conv), all, order, planning);
        first_ = DepthwisePlan(value.DW_conv0, order);
        const int second = cpu::padded(sizes[0]), third = second + cpu::padded(sizes[1]);
        parts_[0] = {second, third - second, DepthwisePlan(value.DW_conv1)};
        parts_[1] = {third, width_ - third, DepthwisePlan(value.DW_conv2)};
        proj_2_ = PointwisePlan(maps.last, planning);
        residual_scale_ = channels(maps.shortcut);
    }

    void plan_perceptron(const ChannelAggregationFFNImpl& mlp, const FoldedMlp& maps,
                         const Planning& planning) {
        const auto sigma = doubles(mlp.sigma);
        mlp_ = MlpPlan(maps.fc1, mlp.dwconv, maps.fc2.after(1.0 + sigma), planning);
        outer_ = channels(torch::mv(maps.fc2.w, sigma));
        decompose_ = channels(mlp.decompose->weight);
        decompose_bias_ = mlp.decompose->bias.item<float>();
    }

    void aggregate(const Frame& frame, Pixels x) const {
        auto& workspace = frame.workspace;
        const auto y = workspace.pixels(slot::a, frame.rows(), width_, gate_.precision());
        const auto context = workspace.pixels(slot::b, frame.rows(), width_, mix_.precision());
        const auto gate = workspace.pixels(slot::c, frame.rows(), channels_);
        const auto value = workspace.pixels(slot::d, frame.rows(), channels_, proj_2_.precision());
        proj_1_.run(frame, x, y, {}, [&](int column, int columns, Pixels part) {
            sharpen(frame, part, column, columns);
            keep(frame, part, y, column, columns);
            const auto convolved = panel_of(frame, context, column);
            convolve(frame, part, convolved, column, columns);
            keep(frame, convolved, context, column, columns);
        });
        gate_.run(frame, y, gate);
        mix_.run(frame, context, value, {}, [&](int column, int columns, Pixels part) {
            apply(frame, Op::silu_gate, part, gate.from(column), value.from(column), columns);
        });
        proj_2_.run(frame, value, x, {x, residual_scale_.data()});
    }

    /// p -> SiLU(p + sigma * (p - mean of p))
    void sharpen(const Frame& frame, Pixels p, int column, int columns) const {
        double means[cpu::panel_columns];
        float shift[cpu::panel_columns];
        column_means(frame, p, columns, nullptr, means);
        for (int c = 0; c < columns; ++c)
            shift[c] = -sigma_.data()[column + c] * static_cast<float>(means[c]);
        apply(frame, Op::silu_affine, p, p, p, columns, {sigma_plus_one_.data() + column, shift});
    }

    /// y and context: of the channels from `column` on.
    void convolve(const Frame& frame, Pixels y, Pixels context, int column, int columns) const {
        first_.run(frame, y, context, column, columns);
        for (const auto& part : parts_) {
            const int from = std::max(column, part.first);
            const int to = std::min(column + columns, part.first + part.columns);
            if (from >= to) continue;
            const auto own = context.from(from - column);
            part.convolution.run(frame, own, own, from - part.first, to - from);
        }
    }

    /// g = GELU(bias + the panels' shares). shares: [panels][padded rows].
    void decompose(const Frame& frame, const float* shares, int panels, float* g) const {
        const int columns = cpu::padded(frame.rows());
        std::fill_n(g, columns, decompose_bias_);
        for (int p = 0; p < panels; ++p) {
            const float* share = shares + Index{p} * columns;
            for (int i = 0; i < columns; ++i) g[i] += share[i];
        }
        frame.kernels.apply(Op::gelu, {.a = g, .out = g, .rows = 1, .columns = columns});
    }

    int channels_, width_ = 0;
    PointwisePlan proj_1_, gate_, mix_, proj_2_;
    DepthwisePlan first_;
    std::array<Part, 2> parts_;
    cpu::Buffer sigma_, sigma_plus_one_, residual_scale_;
    MlpPlan mlp_;
    cpu::Buffer outer_, decompose_;
    float decompose_bias_ = 0;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_moganet(const Block& block, const Planning& planning) {
    return std::make_unique<MogaPlan>(dynamic_cast<const MogaBlock&>(block), planning);
}

}  // namespace stl::inference
