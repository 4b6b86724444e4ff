// gSTA, VAN and TAU: x + s1 * (proj_2(gate(u)) + n), u = GELU(proj_1(n)), n = BN(x), then the perceptron.
//
// BN goes into proj_1, s1 and BN into proj_2 and its residual. The depthwise convolutions run on the channels
// that a thread has just projected, while they are in its cache.
#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"
#include "stl/models/translators/gsta.h"
#include "stl/models/translators/tau.h"
#include "stl/models/translators/van.h"

namespace stl::inference {
namespace {

using cpu::Op;
using cpu::Order;

/// gSTA's two halves side by side, so that a gate's 16 channels are 32 columns of one panel: a0..15 b0..15
/// a16....
Order interleaved(int channels) {
    constexpr int step = cpu::column_step;
    Order order;
    for (int first = 0; first < channels; first += step) {
        for (int half = 0; half < 2; ++half) {
            for (int c = first; c < first + step; ++c)
                order.push_back(c < channels ? half * channels + c : -1);
        }
    }
    return order;
}

/// TAU's weights of channels from their means over the pixels.
class ExcitationPlan {
  public:
    explicit ExcitationPlan(const Excitation& fc)
        : reduce_(fc->reduce->weight.detach().to(torch::kFloat32).contiguous()),
          expand_(fc->expand->weight.detach().to(torch::kFloat32).contiguous()) {}

    int squeezed() const { return static_cast<int>(reduce_.size(0)); }

    void run(const float* means, float* squeezed, float* weights) const {
        const auto channels = reduce_.size(1), inner = reduce_.size(0);
        for (std::int64_t i = 0; i < inner; ++i) {
            float sum = 0;
            for (std::int64_t c = 0; c < channels; ++c)
                sum += reduce_.data_ptr<float>()[i * channels + c] * means[c];
            squeezed[i] = std::max(sum, 0.0F);
        }
        for (std::int64_t c = 0; c < channels; ++c) {
            float sum = 0;
            for (std::int64_t i = 0; i < inner; ++i)
                sum += expand_.data_ptr<float>()[c * inner + i] * squeezed[i];
            weights[c] = 1.0F / (1.0F + std::exp(-sum));
        }
    }

  private:
    torch::Tensor reduce_, expand_;
};

class LargeKernelPlan : public BlockPlan {
  public:
    LargeKernelPlan(const LargeKernelBlock& block, const Planning& planning)
        : channels_(static_cast<int>(block.options.channels)) {
        const auto& gate = *block.attn->spatial_gating_unit;
        const auto maps = block.folded();
        proj_1_ = PointwisePlan(maps.attention.first, planning);
        conv0_ = DepthwisePlan(gate.conv0);
        conv_spatial_ = DepthwisePlan(gate.conv_spatial);
        gsta_ = dynamic_cast<const GstaGate*>(&gate) != nullptr;
        conv1_ = gsta_ ? PointwisePlan(Map::of(gate.conv1), interleaved(channels_), cpu::in_order(channels_),
                                       planning)
                       : PointwisePlan(Map::of(gate.conv1), planning);
        if (const auto* tau = dynamic_cast<const TauGate*>(&gate)) {
            excitation_ = std::make_unique<ExcitationPlan>(tau->fc);
        }
        proj_2_ = PointwisePlan(maps.attention.last, planning);
        residual_scale_ = channels(maps.attention.shortcut);
        mlp_ = MlpPlan(maps.mlp.fc1, block.mlp->dwconv->dwconv, maps.mlp.fc2, planning);
    }

    void run(const Frame& frame, Pixels x) const override {
        auto& workspace = frame.workspace;
        const auto u = workspace.pixels(slot::a, frame.rows(), channels_);
        const auto context = workspace.pixels(slot::b, frame.rows(), channels_, conv1_.precision());
        const auto gated = workspace.pixels(slot::c, frame.rows(), channels_, proj_2_.precision());
        const auto means = workspace.floats(slot::e, static_cast<std::size_t>(cpu::padded(channels_)));
        proj_1_.run(frame, x, u, {}, [&](int column, int columns, Pixels part) {
            apply(frame, Op::gelu, part, part, part, columns);
            const auto convolved = panel_of(frame, context, column);
            conv0_.run(frame, part, convolved, column, columns);
            conv_spatial_.run(frame, convolved, convolved, column, columns);
            keep(frame, convolved, context, column, columns);
            if (excitation_) average(frame, u, column, columns, means);
        });
        const float* weights = excitation_ ? excite(frame, means) : nullptr;
        conv1_.run(frame, context, {}, {}, [&](int column, int columns, Pixels part) {
            if (gsta_) {  // 16 channels' a, then their b
                apply(frame, Op::sigmoid_gate, part, part.from(cpu::column_step), gated.from(column / 2),
                      columns / 2);
            } else {
                apply(frame, weights ? Op::multiply_scaled : Op::multiply, part, u.from(column),
                      gated.from(column), columns, {.scale = weights ? weights + column : nullptr});
            }
        });
        proj_2_.run(frame, gated, x, {x, residual_scale_.data()});
        mlp_.run(frame, x, x);
    }

  private:
    static void average(const Frame& frame, Pixels u, int column, int columns, float* means) {
        double values[cpu::panel_columns];
        column_means(frame, u.from(column), columns, nullptr, values);
        std::copy_n(values, columns, means + column);
    }

    const float* excite(const Frame& frame, const float* means) const {
        const auto weights = frame.workspace.floats(
            slot::f, static_cast<std::size_t>(cpu::padded(channels_) + excitation_->squeezed()));
        excitation_->run(means, weights + cpu::padded(channels_), weights);
        return weights;
    }

    int channels_;
    bool gsta_ = false;
    PointwisePlan proj_1_, conv1_, proj_2_;
    DepthwisePlan conv0_, conv_spatial_;
    std::unique_ptr<ExcitationPlan> excitation_;
    cpu::Buffer residual_scale_;
    MlpPlan mlp_;
};

}  // namespace

std::unique_ptr<BlockPlan> plan_large_kernel(const Block& block, const Planning& planning) {
    return std::make_unique<LargeKernelPlan>(dynamic_cast<const LargeKernelBlock&>(block), planning);
}

}  // namespace stl::inference
