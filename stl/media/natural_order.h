// The order in which people number files: frame2 before frame10.
#pragma once

#include <string_view>

namespace stl {

/// True if `a` comes before `b`: runs of digits compare as numbers, all else byte by byte.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace stl
