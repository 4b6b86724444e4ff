// HorNet: x + gamma1 * gnconv(LN(x)), then x + gamma2 * mlp(LN(x)).
//
// proj_in's outputs are [the gate's C/8][the orders' C/8, C/4, C/2, C], each part padded to whole vectors.
#include "stl/models/translators/hornet.h"

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

using cpu::Op;

class HorNetPlan : public BlockPlan {
  public:
    HorNetPlan(const HorNetBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)) {
        const auto& conv = *block.gnconv;
        for (const auto width : conv.widths) widths_.push_back(static_cast<int>(width));
        auto sizes = widths_;
        sizes.insert(sizes.begin(), widths_.front());
        const auto outputs = cpu::padded_parts(sizes);
        fused_ = static_cast<int>(outputs.size());
        proj_in_ = PointwisePlan(folded_after(block.norm1, conv.proj_in), outputs, cpu::in_order(channels_),
                                 planning);
        depthwise_ = DepthwisePlan(conv.dwconv, cpu::padded_parts(widths_));
        for (const auto& pointwise : conv.pws) steps_.emplace_back(Map::of(pointwise), planning);
        proj_out_ = PointwisePlan(Map::of(conv.proj_out).times(block.gamma1), planning);
        mlp_ = MlpPlan(folded_after(block.norm2, block.pwconv1), Map::of(block.pwconv2).times(block.gamma2),
                       planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        auto& workspace = frame.workspace;
        const auto read = proj_in_.precision();  // by all products alike
        const auto normal = workspace.pixels(slot::a, frame.rows(), channels_, read);
        const auto fused = workspace.pixels(slot::b, frame.rows(), fused_);
        normalise(frame, x, normal, channels_, LayerNorm2dImpl::eps);
        const int gate = cpu::padded(widths_.front());
        auto order = fused.from(gate);
        proj_in_.run(frame, normal, fused, {}, [&](int column, int columns, Pixels part) {
            const int skipped = std::max(0, gate - column);
            if (skipped >= columns) return;
            const auto orders = part.from(skipped);
            depthwise_.run(frame, orders, orders, column + skipped - gate, columns - skipped);
        });
        auto p = workspace.pixels(slot::c, frame.rows(), channels_, read);
        auto next = workspace.pixels(slot::d, frame.rows(), channels_, read);
        apply(frame, Op::multiply, fused, order, p, gate);
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            order = order.from(cpu::padded(widths_[i]));
            steps_[i].run(frame, p, next, {}, [&](int column, int columns, Pixels part) {
                apply(frame, Op::multiply, part, order.from(column), next.from(column), columns);
            });
            std::swap(p, next);
        }
        proj_out_.run(frame, p, x, {x});
        normalise(frame, x, normal, channels_, LayerNorm2dImpl::eps);
        mlp_.run(frame, normal, x);
    }

  private:
    int channels_, fused_ = 0;
    std::vector<int> widths_;
    PointwisePlan proj_in_, proj_out_;
    DepthwisePlan depthwise_;
    std::vector<PointwisePlan> steps_;
    MlpPlan mlp_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_hornet(const Block& block, const Planning& planning) {
    return std::make_unique<HorNetPlan>(dynamic_cast<const HorNetBlock&>(block), planning);
}

}  // namespace stl::inference
