// Checks of option values that CLI11 has only with messages nobody can read.
#pragma once

#include <CLI/CLI.hpp>
#include <cmath>

#include "stl/core/error.h"

namespace stl::tools {

/// CLI11 takes what is no 64-bit integer for the nearest one that is.
constexpr double kNumbersEnd = 0x1p63;

/// "--frames: 0, expected a number over 0"
inline const CLI::Validator positive(
    [](std::string& text) {
        double value = 0;
        if (!CLI::detail::lexical_cast(text, value) || !(value > 0))
            return fmt::format("{}, expected a number over 0", text);
        return value < kNumbersEnd ? std::string() : fmt::format("{} is too large", text);
    },
    "POSITIVE");

/// "--start: -1, expected 0 or a number over it"
inline const CLI::Validator not_negative(
    [](std::string& text) {
        double value = 0;
        if (!CLI::detail::lexical_cast(text, value) || !(value >= 0))
            return fmt::format("{}, expected 0 or a number over it", text);
        return value < kNumbersEnd ? std::string() : fmt::format("{} is too large", text);
    },
    "NONNEGATIVE");

/// "--mean: nan, expected a number"
inline const CLI::Validator finite(
    [](std::string& text) {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && std::isfinite(value)) return std::string();
        return fmt::format("{}, expected a number", text);
    },
    "NUMBER");

/// "--run: empty, expected a name"
inline const CLI::Validator not_empty(
    [](std::string& text) { return std::string(text.empty() ? "empty, expected a name" : ""); }, "");

}  // namespace stl::tools
