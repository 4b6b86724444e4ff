// The translators. To add one:
//
//   1. translators/<name>.h and .cpp: a class derived from Block (or, for another frame than a stack of equal
//      blocks, from Translator). Its constructor takes BlockOptions and registers parameters and layers in the order
//      in which a checkpoint has them; forward() computes [B,C,H',W'] -> the same; draw_weights() draws what
//      it registered. Where its cost does not follow from its layers, it derives from CostRule too
//      (layers/cost_rule.h).
//   2. its include and one line in the list of registry.cpp: names, help, paper, the keys it reads, what it can't have,
//      constructor.
//
// `stl train experiments/<dataset>/base.json --translator <name>` trains it; an experiment file of its own,
// experiments/<dataset>/<name>.json, keeps settings that are its own. `stl list`, --help, the checks of an experiment's
// sizes and `stl info` take it from the list.
//
// On a CPU it predicts with its plain layers; a plan (inference/cpu/block_plan.h) makes it faster. What its layers
// compute belongs in operations (ops/operations.h), of which faster versions may exist.
//
// A translator that OpenSTL has states by which weights its checkpoints are recognised (reference_weights, ratio_layer).
// The tests then demand what OpenSTL computes with it: tests/fixtures/models/<name>/, init_stats.json and
// complexity.json; tools/peer/peer_model.py names it for comparisons.
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
    /// Weights of the first block, without "hid.enc.0.", from which checkpoint/infer.h recognises a checkpoint of the
    /// reference: of the translators that have all of theirs, the one with the longest list. Empty: the reference does
    /// not have this translator.
    std::vector<std::string> reference_weights{};
    /// The layer "hid.enc.<block>.block.<ratio_layer>" whose width mlp_ratio decides; empty: none.
    std::string ratio_layer{};
    bool for_tests = false;  ///< not shown to users
};

/// Every member, in the order of the list.
const std::vector<TranslatorInfo>& translators();
/// The names of those that are not for tests alone.
std::vector<std::string> shown_translators();

/// By name or alias, in any case. Error: "<where>: unknown translator 'mogant' (did you mean 'moganet'?)".
const TranslatorInfo& find_translator(std::string_view name, std::string_view where);

/// Error unless T*hid_S and hid_T are both divisible by `divisor`, e.g. "heads".
void require_divisible(const SimVPOptions& options, const std::string& where, std::int64_t divisor,
                       const std::string& what);

}  // namespace stl
