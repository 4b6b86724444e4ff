// The translators. Adding one takes two things and nothing else:
//
//   1. translators/<name>.h and .cpp: a class derived from Block (or, for another frame than a stack of equal
//      blocks, from Translator). Its constructor takes BlockOptions and registers parameters and layers in the order
//      in which a checkpoint has them; forward() computes [B,C,H',W'] -> the same; draw_weights() draws what
//      it registered. Where its cost does not follow from its layers, it derives from CostRule too
//      (layers/cost_rule.h).
//   2. one line in the list of registry.cpp: names, help, paper, the keys it reads, what it can't have,
//      constructor.
//
// `stl train experiments/<dataset>/base.json --translator <name>` trains it; an experiment file of its own,
// experiments/<dataset>/<name>.json, keeps settings that are its own.
//
// On a CPU it then predicts with its plain layers; a plan in inference/cpu/ (block_plan.h) makes it quicker.
//
// `stl list`, --help, the checks of an experiment's sizes, `stl info` and the contract test take it from the
// list.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stl/models/simvp.h"

namespace stl {

struct TranslatorInfo {
    std::string name;                  ///< canonical, lower case
    std::vector<std::string> aliases;  ///< other spellings, lower case
    std::string help;                  ///< one line
    std::string paper;
    std::vector<std::string> keys;  ///< of SimVPOptions that it reads beyond the frame's own
    /// Throws what it can't have; the frame's own sizes are checked already.
    void (*check)(const SimVPOptions& options, const std::string& where);
    /// Weights are not drawn yet.
    std::shared_ptr<Translator> (*make)(const SimVPOptions& options);
    bool for_tests = false;  ///< not shown to users
};

/// Every member, in the order of the list.
const std::vector<TranslatorInfo>& translators();

/// By name or alias, in any case. Error: "<where>: unknown translator 'mogant' (did you mean 'moganet'?)".
const TranslatorInfo& find_translator(std::string_view name, std::string_view where);

/// Error unless T*hid_S and hid_T are both divisible by `divisor`, e.g. "heads".
void require_divisible(const SimVPOptions& options, const std::string& where, std::int64_t divisor,
                       const std::string& what);

}  // namespace stl
