// MLP-Mixer: a perceptron over the pixels of each channel, then one over the channels of each pixel.
//
// Over pixels the weights are the product's left side and 32 channels at a time its right; both halves of the
// perceptron run on a thread's own channels.
#include "stl/models/translators/mlpmixer.h"

#include <algorithm>

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

using cpu::Op;

/// A matrix whose rows are read together, a little apart so that they do not compete for cache lines.
class Rows {
  public:
    Rows(const Linear& linear, const Planning& planning)
        : precision(planning.precision),
          rows(static_cast<int>(linear->weight.size(0))),
          depth(cpu::words_of(precision, static_cast<int>(linear->weight.size(1)))),
          row(depth + cpu::column_step),
          bias(channels(linear->bias)) {
        const auto w = linear->weight.detach().to(torch::kFloat32).contiguous();
        const int columns = static_cast<int>(w.size(1));
        const float* from = w.data_ptr<float>();
        data.reserve(static_cast<std::size_t>(rows) * static_cast<std::size_t>(row));
        if (precision == Type::bfloat16) {
            planning.kernels.narrow_rows({.in = from,
                                          .in_row = columns,
                                          .rows = rows,
                                          .columns = columns,
                                          .out = data.data(),
                                          .out_row = row});
            return;
        }
        for (int r = 0; r < rows; ++r) std::copy_n(from + Index{r} * columns, columns, data.data() + r * row);
    }

    /// The product of this and a panel of 32 columns.
    cpu::Product times(const float* panel, int columns, Pixels out) const {
        cpu::Product p;
        p.precision = precision;
        p.a = data.data();
        p.a_row = row;
        p.depth = depth;
        p.w = panel;
        p.rows = rows;
        p.columns = columns;
        p.out = out.data;
        p.out_row = out.row;
        p.row_bias = bias.data();
        return p;
    }

    Type precision;
    int rows, depth;  ///< depth in words
    Index row;
    cpu::Buffer bias, data;
};

class MlpMixerPlan : public BlockPlan {
  public:
    MlpMixerPlan(const MlpMixerBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)),
          gain_(channels(block.norm1->weight)),
          shift_(channels(block.norm1->bias)),
          eps1_(block.norm1->eps),
          eps2_(block.norm2->eps),
          fc1_(block.mlp_tokens->fc1, planning),
          fc2_(block.mlp_tokens->fc2, planning) {
        const auto& mlp = *block.mlp_channels;
        mlp_ = MlpPlan(folded_after(block.norm2, mlp.fc1), Map::of(mlp.fc2), planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        const auto normal = frame.workspace.pixels(slot::a, frame.rows(), channels_);
        normalise(frame, x, normal, channels_, eps1_);
        mix_pixels(frame, normal, x);
        const auto second = frame.workspace.pixels(slot::b, frame.rows(), channels_, mlp_.precision());
        normalise(frame, x, second, channels_, eps2_);
        mlp_.run(frame, second, x);
    }

  private:
    void mix_pixels(const Frame& frame, Pixels normal, Pixels x) const {
        const Trace::Timed timed(frame.trace, "perceptron over pixels",
                                 2 * std::int64_t{frame.rows()} * fc1_.rows * channels_);
        over_columns(channels_,
                     [&](int column, int columns) { mix_pixels(frame, normal, x, column, columns); });
    }

    void mix_pixels(const Frame& frame, Pixels normal, Pixels x, int column, int columns) const {
        constexpr Index row = cpu::panel_columns;
        const Index rows = frame.rows() + fc1_.rows, words = std::max(fc1_.depth, fc2_.depth);
        float* in = frame.workspace.scratch(static_cast<std::size_t>((rows + words) * row));
        float* hidden = in + frame.rows() * row;
        float* pairs = in + rows * row;
        apply(frame, Op::affine, normal.from(column), normal.from(column), {in, row}, columns,
              {gain_.data() + column, shift_.data() + column});
        frame.kernels.product(fc1_.times(right_side(frame, in, frame.rows(), pairs), columns, {hidden, row}));
        frame.kernels.apply(Op::gelu, {.a = hidden,
                                       .a_row = row,
                                       .out = hidden,
                                       .out_row = row,
                                       .rows = fc1_.rows,
                                       .columns = columns});
        auto last = fc2_.times(right_side(frame, hidden, fc1_.rows, pairs), columns, x.from(column));
        last.residual = x.data + column;
        last.residual_row = x.row;
        frame.kernels.product(last);
    }

    /// A panel of 32 columns as the products take it: itself, or in pairs of its rows, written to `pairs`.
    const float* right_side(const Frame& frame, const float* panel, int rows, float* pairs) const {
        if (fc1_.precision == Type::float32) return panel;
        constexpr int columns = cpu::panel_columns;
        frame.kernels.narrow_columns({.in = panel,
                                      .in_row = columns,
                                      .rows = rows,
                                      .columns = columns,
                                      .out = pairs,
                                      .out_row = columns});
        return pairs;
    }

    int channels_;
    cpu::Buffer gain_, shift_;
    double eps1_, eps2_;
    Rows fc1_, fc2_;
    MlpPlan mlp_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_mlpmixer(const Block& block, const Planning& planning) {
    return std::make_unique<MlpMixerPlan>(dynamic_cast<const MlpMixerBlock&>(block), planning);
}

}  // namespace stl::inference
