// Nearest names, for messages that help: "unknown translator 'mogant' (did you mean 'moganet'?)".
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace stl {

/// The candidate with the smallest edit distance to `name`; empty if none is near (over half its length
/// away).
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// " (did you mean 'x'?)", or with nothing near " (expected one of a, b, c)"; for the end of a message.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// ASCII lower case.
std::string lower_case(std::string_view text);

}  // namespace stl
