// A translator on the fast path. To add one: a plan in plans/, declared in plans/plans.h, and a line in the list of
// block_plan.cpp. A translator without a plan runs its plain module.
#pragma once

#include <memory>

#include "stl/inference/cpu/frame.h"
#include "stl/inference/cpu/planning.h"
#include "stl/models/translators/block.h"

namespace stl::inference {

/// One block on one sequence. x: [H'*W', C], changed in place.
class BlockPlan {
  public:
    virtual ~BlockPlan() = default;
    virtual void run(const Frame& frame, Pixels x) const = 0;
};

/// A whole translator on one sequence. x: [H'*W', T*hid_S], changed in place; its rows have room for the
/// widest of T*hid_S and hid_T.
class TranslatorPlan {
  public:
    virtual ~TranslatorPlan() = default;
    virtual void run(const Frame& frame, Pixels x) const = 0;
};

std::unique_ptr<TranslatorPlan> plan_translator(const SimVPOptions& options,
                                                const std::shared_ptr<Translator>& translator,
                                                const Planning& planning);

}  // namespace stl::inference
