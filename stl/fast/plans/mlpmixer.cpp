// MLP-Mixer: a perceptron over the pixels of each channel, then one over the channels of each pixel.
//
// Over pixels the weights are the product's left side and 32 channels at a time its right; both halves of the
// perceptron run on a thread's own channels.
#include "stl/models/translators/mlpmixer.h"

#include "stl/fast/layers.h"
#include "stl/fast/plans/plans.h"
#include "stl/fast/slots.h"

namespace stl::fast {
namespace {

using kernels::Op;

constexpr double eps = 1e-6;

/// A matrix whose rows are read together, a little apart so that they do not compete for cache lines.
class Rows {
  public:
    explicit Rows(const Linear& linear)
        : rows(static_cast<int>(linear->weight.size(0))),
          depth(static_cast<int>(linear->weight.size(1))),
          row(depth + kernels::column_step),
          bias(channels(linear->bias)) {
        const auto w = linear->weight.detach().to(torch::kFloat32).contiguous();
        data.reserve(static_cast<std::size_t>(rows) * static_cast<std::size_t>(row));
        for (int r = 0; r < rows; ++r)
            std::copy_n(w.data_ptr<float>() + Index{r} * depth, depth, data.data() + r * row);
    }

    /// The product of this and a panel of 32 columns.
    kernels::Product times(const float* panel, int columns, Pixels out) const {
        kernels::Product p;
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

    int rows, depth;
    Index row;
    kernels::Buffer bias, data;
};

class MlpMixerPlan : public BlockPlan {
  public:
    explicit MlpMixerPlan(const MlpMixerBlock& block)
        : channels_(static_cast<int>(block.options.channels)),
          gain_(channels(block.norm1->weight)),
          shift_(channels(block.norm1->bias)),
          fc1_(block.mlp_tokens->fc1),
          fc2_(block.mlp_tokens->fc2) {
        const auto norm2 = Affine::of(block.norm2->weight, block.norm2->bias);
        const auto& mlp = *block.mlp_channels;
        mlp_ = MlpPlan(Map::of(mlp.fc1).after(norm2.scale, norm2.shift), Map::of(mlp.fc2));
    }

    void run(const Frame& frame, Pixels x) const override {
        const auto normal = frame.workspace.pixels(slot::a, frame.rows(), channels_);
        normalise(frame, x, normal, channels_, eps);
        mix_pixels(frame, normal, x);
        normalise(frame, x, normal, channels_, eps);
        mlp_.run(frame, normal, x);
    }

  private:
    void mix_pixels(const Frame& frame, Pixels normal, Pixels x) const {
        const Trace::Timed timed(frame.trace, "perceptron over pixels",
                                 2 * std::int64_t{frame.rows()} * fc1_.rows * channels_);
        over_columns(channels_,
                     [&](int column, int columns) { mix_pixels(frame, normal, x, column, columns); });
    }

    void mix_pixels(const Frame& frame, Pixels normal, Pixels x, int column, int columns) const {
        constexpr Index row = kernels::panel_columns;
        float* in = frame.workspace.scratch(static_cast<std::size_t>((frame.rows() + fc1_.rows) * row));
        float* hidden = in + frame.rows() * row;
        apply(frame, Op::affine, normal.from(column), normal.from(column), {in, row}, columns,
              {gain_.data() + column, shift_.data() + column});
        frame.kernels.product(fc1_.times(in, columns, {hidden, row}));
        frame.kernels.apply(Op::gelu, {.a = hidden,
                                       .a_row = row,
                                       .out = hidden,
                                       .out_row = row,
                                       .rows = fc1_.rows,
                                       .columns = columns});
        auto last = fc2_.times(hidden, columns, x.from(column));
        last.residual = x.data + column;
        last.residual_row = x.row;
        frame.kernels.product(last);
    }

    int channels_;
    kernels::Buffer gain_, shift_;
    Rows fc1_, fc2_;
    MlpPlan mlp_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_mlpmixer(const Block& block) {
    return std::make_unique<MlpMixerPlan>(dynamic_cast<const MlpMixerBlock&>(block));
}

}  // namespace stl::fast
