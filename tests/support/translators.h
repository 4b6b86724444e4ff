// The translators' names: for tests with each of them as a parameter, and to compare with fixtures.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "stl/models/registry.h"

namespace stl::test {

inline std::vector<std::string> translator_names() {
    std::vector<std::string> names;
    for (const auto& translator : translators()) names.push_back(translator.name);
    return names;
}

/// Those that OpenSTL has, of which there are fixtures.
inline std::set<std::string> peer_translators() {
    std::set<std::string> names;
    for (const auto& translator : translators()) {
        if (!translator.reference_weights.empty()) names.insert(translator.name);
    }
    return names;
}

}  // namespace stl::test
