// ConvMixer: y = x + BN(GELU(dw11x11(x))), then BN(GELU(conv_pw(y))).
#include "stl/models/translators/convmixer.h"

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

using cpu::Op;

struct FoldedNorm {
    explicit FoldedNorm(const BatchNorm2d& norm) {
        const auto affine = Affine::of(norm);
        scale = channels(affine.scale);
        shift = channels(affine.shift);
    }
    Vectors at(int column) const { return {scale.data() + column, shift.data() + column}; }

    cpu::Buffer scale, shift;
};

class ConvMixerPlan : public BlockPlan {
  public:
    ConvMixerPlan(const ConvMixerBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)),
          depthwise_(block.conv_dw),
          norm_1_(block.norm_1),
          pointwise_(Map::of(block.conv_pw), planning),
          norm_2_(block.norm_2) {}

    void run(const Frame& frame, Pixels x) const override {
        const auto y = frame.workspace.pixels(slot::a, frame.rows(), channels_, pointwise_.precision());
        mix_pixels(frame, x, y);
        pointwise_.run(frame, y, x, {}, [&](int column, int columns, Pixels part) {
            apply(frame, Op::gelu_affine, part, part, part, columns, norm_2_.at(column));
        });
    }

  private:
    void mix_pixels(const Frame& frame, Pixels x, Pixels y) const {
        const Trace::Timed timed(frame.trace, "depthwise 11x11");
        over_columns(channels_, [&](int column, int columns) {
            const auto part = panel_of(frame, y, column);
            depthwise_.run(frame, x.from(column), part, column, columns);
            apply(frame, Op::gelu_affine_add, part, x.from(column), y.from(column), columns,
                  norm_1_.at(column));
        });
    }

    int channels_;
    DepthwisePlan depthwise_;
    FoldedNorm norm_1_;
    PointwisePlan pointwise_;
    FoldedNorm norm_2_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_convmixer(const Block& block, const Planning& planning) {
    return std::make_unique<ConvMixerPlan>(dynamic_cast<const ConvMixerBlock&>(block), planning);
}

}  // namespace stl::inference
