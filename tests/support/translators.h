// The translators' names, for tests with each of them as a parameter.
#pragma once

#include <string>
#include <vector>

#include "stl/models/registry.h"

namespace stl::test {

inline std::vector<std::string> translator_names() {
    std::vector<std::string> names;
    for (const auto& translator : translators()) names.push_back(translator.name);
    return names;
}

}  // namespace stl::test
