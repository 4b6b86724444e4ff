// The translators' plans; each is defined in the file of its name.
#pragma once

#include "stl/inference/cpu/block_plan.h"

namespace stl::inference {

std::unique_ptr<BlockPlan> plan_convmixer(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_convnext(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_hornet(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_large_kernel(const Block& block,
                                             const Planning& planning);  ///< gsta, van, tau
std::unique_ptr<BlockPlan> plan_mlpmixer(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_moganet(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_poolformer(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_swin(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_uniformer(const Block& block, const Planning& planning);
std::unique_ptr<BlockPlan> plan_vit(const Block& block, const Planning& planning);

std::unique_ptr<TranslatorPlan> plan_incepu(const SimVPOptions& options, const Translator& translator,
                                            const Planning& planning);

}  // namespace stl::inference
