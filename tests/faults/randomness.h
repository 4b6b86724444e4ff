// What these tests draw: by a seed that each prints, and as often as the environment says.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "stl/core/error.h"
#include "stl/core/random.h"

namespace stl::test {

inline std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::stoull(text);
}

/// STL_FAULT_SEED; 1 by default, another each time where STL_FAULT_TIMES is given.
inline std::uint64_t fault_seed() {
    static const auto seed =
        number_in("STL_FAULT_SEED", std::getenv("STL_FAULT_TIMES") == nullptr ? 1 : std::random_device()());
    return seed;
}

/// `usual` rounds, STL_FAULT_TIMES times.
inline std::uint64_t rounds(std::uint64_t usual) {
    fmt::print("seed {} (STL_FAULT_SEED={} repeats it), {} rounds\n", fault_seed(), fault_seed(),
               usual * number_in("STL_FAULT_TIMES", 1));
    return usual * number_in("STL_FAULT_TIMES", 1);
}

template <class Choices>
const auto& one_of(StreamRandom& random, const Choices& choices) {
    return choices[random.below(choices.size())];
}

}  // namespace stl::test
