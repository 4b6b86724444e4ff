#include "stl/inference/cpu/block_plan.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "stl/inference/cpu/layers.h"
#include "stl/inference/cpu/plans/plans.h"
#include "stl/inference/cpu/slots.h"

namespace stl::inference {
namespace {

using PlanTranslator = std::unique_ptr<TranslatorPlan> (*)(const SimVPOptions&, const Translator&,
                                                           const Planning&);
using PlanBlock = std::unique_ptr<BlockPlan> (*)(const Block&, const Planning&);

class StackPlan : public TranslatorPlan {
  public:
    StackPlan(const BlockStack& stack, PlanBlock plan_block, const Planning& planning) {
        for (const auto& stacked : stack.blocks) {
            Member member;
            member.name = "hid.enc." + std::to_string(members_.size());
            member.block = plan_block(*stacked->block, planning);
            if (stacked->reduction) {
                member.reduction = PointwisePlan(Map::of(stacked->reduction), planning);
                member.reduces = true;
            }
            widest_ = std::max(widest_, static_cast<int>(stacked->block->options.channels));
            members_.push_back(std::move(member));
        }
    }

    void run(const Frame& frame, Pixels x) const override {
        const auto start = x;
        auto other = frame.workspace.pixels(slot::latent_other, frame.rows(), widest_);
        for (const auto& member : members_) {
            const Trace::Timed timed(frame.trace, member.name);
            member.block->run(frame, x);
            if (!member.reduces) continue;
            member.reduction.run(frame, x, other);
            std::swap(x, other);
        }
        if (x.data != start.data)
            throw std::logic_error("an odd number of width changes leaves the result in the wrong buffer");
    }

  private:
    struct Member {
        std::string name;  ///< for traces
        std::unique_ptr<BlockPlan> block;
        PointwisePlan reduction;
        bool reduces = false;
    };
    std::vector<Member> members_;
    int widest_ = 0;
};

template <PlanBlock plan_block>
std::unique_ptr<TranslatorPlan> stack(const SimVPOptions& /*options*/, const Translator& translator,
                                      const Planning& planning) {
    return std::make_unique<StackPlan>(dynamic_cast<const BlockStack&>(translator), plan_block, planning);
}

/// The plain module, on a copy in its own layout.
class PlainPlan : public TranslatorPlan {
  public:
    PlainPlan(std::shared_ptr<Translator> translator, std::int64_t channels)
        : translator_(std::move(translator)), channels_(channels) {}

    void run(const Frame& frame, Pixels x) const override {
        const auto pixels = torch::from_blob(x.data, {frame.rows(), channels_}, {x.row, 1}, torch::kFloat32);
        const auto z = pixels.t().reshape({1, channels_, frame.height, frame.width});
        pixels.copy_(translator_->forward(z).view({channels_, frame.rows()}).t());
    }

  private:
    std::shared_ptr<Translator> translator_;
    std::int64_t channels_;
};

struct Member {
    std::string translator;
    PlanTranslator plan;
};

const std::vector<Member> members{
    {"incepu", plan_incepu},
    {"gsta", stack<plan_large_kernel>},
    {"vit", stack<plan_vit>},
    {"swin", stack<plan_swin>},
    {"uniformer", stack<plan_uniformer>},
    {"mlpmixer", stack<plan_mlpmixer>},
    {"convmixer", stack<plan_convmixer>},
    {"poolformer", stack<plan_poolformer>},
    {"convnext", stack<plan_convnext>},
    {"van", stack<plan_large_kernel>},
    {"hornet", stack<plan_hornet>},
    {"moganet", stack<plan_moganet>},
    {"tau", stack<plan_large_kernel>},
};

}  // namespace

std::unique_ptr<TranslatorPlan> plan_translator(const SimVPOptions& options,
                                                const std::shared_ptr<Translator>& translator,
                                                const Planning& planning) {
    const auto found = std::ranges::find_if(
        members, [&](const Member& member) { return member.translator == options.translator; });
    if (found == members.end()) return std::make_unique<PlainPlan>(translator, options.translator_channels());
    return found->plan(options, *translator, planning);
}

}  // namespace stl::inference
