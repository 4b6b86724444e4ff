// ConvNeXt: x + gamma * mlp(LN(dw7x7(x))). LN's gains go into fc1, gamma into fc2.
#include "stl/models/translators/convnext.h"

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

class ConvNextPlan : public BlockPlan {
  public:
    ConvNextPlan(const ConvNextBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)), depthwise_(block.conv_dw) {
        const auto maps = block.folded();
        mlp_ = MlpPlan(maps.fc1, maps.fc2, planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        const auto y = frame.workspace.pixels(slot::a, frame.rows(), channels_);
        const auto normal = mlp_.precision() == Type::float32
                                ? y
                                : frame.workspace.pixels(slot::b, frame.rows(), channels_, mlp_.precision());
        depthwise_.run(frame, x, y);
        normalise(frame, y, normal, channels_, LayerNorm2dImpl::eps);
        mlp_.run(frame, normal, x);
    }

  private:
    int channels_;
    DepthwisePlan depthwise_;
    MlpPlan mlp_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_convnext(const Block& block, const Planning& planning) {
    return std::make_unique<ConvNextPlan>(dynamic_cast<const ConvNextBlock&>(block), planning);
}

}  // namespace stl::inference
