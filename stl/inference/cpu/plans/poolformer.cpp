// PoolFormer: x + s1 * (pool(GN(x)) - GN(x)), then x + s2 * mlp(GN(x)), GN over all pixels and channels.
//
// Pooling keeps constants, so the first norm is a factor of pool(x) - x; the second one's gains go into fc1.
#include "stl/models/translators/poolformer.h"

#include <cmath>

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

using cpu::Op;

struct Moments {
    double mean = 0, deviation = 0;  ///< with eps
};

class PoolFormerPlan : public BlockPlan {
  public:
    PoolFormerPlan(const PoolFormerBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)),
          eps_(block.norm1->eps),
          scale_(channels(block.layer_scale_1 * block.norm1->weight)) {
        const auto maps = block.folded();
        mlp_ = MlpPlan(maps.fc1, maps.fc2, planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        const auto y = frame.workspace.pixels(slot::a, frame.rows(), channels_, mlp_.precision());
        pool(frame, x, moments(frame, x));
        const auto second = moments(frame, x);
        over_columns(channels_, [&](int column, int columns) {
            float scale[cpu::panel_columns], shift[cpu::panel_columns];
            std::fill_n(scale, columns, static_cast<float>(1.0 / second.deviation));
            std::fill_n(shift, columns, static_cast<float>(-second.mean / second.deviation));
            apply(frame, Op::affine, x.from(column), x.from(column), y.from(column), columns, {scale, shift});
        });
        mlp_.run(frame, y, x);
    }

  private:
    void pool(const Frame& frame, Pixels x, const Moments& first) const {
        const Trace::Timed timed(frame.trace, "pooling");
        over_columns(channels_, [&](int column, int columns) {
            float scale[cpu::panel_columns];
            for (int c = 0; c < columns; ++c) {
                scale[c] =
                    static_cast<float>(static_cast<double>(scale_.data()[column + c]) / first.deviation);
            }
            const auto in = x.from(column), out = frame.workspace.panel(frame.rows());
            frame.kernels.pool_difference({.in = in.data,
                                           .in_row = in.row,
                                           .out = out.data,
                                           .out_row = out.row,
                                           .height = frame.height,
                                           .width = frame.width,
                                           .columns = columns});
            apply(frame, Op::affine_add, out, in, in, columns, {.scale = scale});
        });
    }

    /// Sums of the channels, in parallel, then of all; the mean first, then the squares around it.
    Moments moments(const Frame& frame, Pixels x) const {
        const Trace::Timed timed(frame.trace, "group norm");
        const auto count = static_cast<std::size_t>(cpu::padded(channels_));
        const auto middle = frame.workspace.floats(slot::c, count);
        Moments m;
        std::fill_n(middle, count, 0.0F);
        m.mean = mean(frame, x, nullptr);
        std::fill_n(middle, count, static_cast<float>(m.mean));
        const double off = m.mean - static_cast<double>(static_cast<float>(m.mean));
        m.deviation = std::sqrt(mean(frame, x, middle) - off * off + eps_);
        return m;
    }

    double mean(const Frame& frame, Pixels x, const float* middle) const {
        auto* sums = reinterpret_cast<double*>(
            frame.workspace.floats(slot::d, 2 * static_cast<std::size_t>(cpu::padded(channels_))));
        over_columns(channels_, [&](int column, int columns) {
            column_means(frame, x.from(column), columns, middle ? middle + column : nullptr, sums + column);
        });
        double total = 0;
        for (int c = 0; c < channels_; ++c) total += sums[c];
        return total / channels_;
    }

    int channels_;
    double eps_;
    cpu::Buffer scale_;
    MlpPlan mlp_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_poolformer(const Block& block, const Planning& planning) {
    return std::make_unique<PoolFormerPlan>(dynamic_cast<const PoolFormerBlock&>(block), planning);
}

}  // namespace stl::inference
