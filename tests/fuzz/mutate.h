// Changes files at random as a careless disk or an ill-meaning sender would: flipped bits, extreme numbers,
// parts cut out, doubled, moved in from another file. What comes out depends on the random engine alone.
#pragma once

#include <string>
#include <vector>

#include "stl/core/random.h"

namespace stl::fuzz {

/// One of `seeds`, changed in one to eight places.
std::string mutated(const std::vector<std::string>& seeds, StreamRandom& random);

}  // namespace stl::fuzz
