// Checks of option values for which CLI11's own messages are hard to read.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>

#include "stl/core/error.h"
#include "stl/core/external_files.h"

namespace stl::tools {

/// CLI11 silently replaces a number that does not fit into 64 bits by the nearest one that does.
constexpr double integers_end = 0x1p63;

/// "" for a number that fits and is below `end`, else what is wrong with `text`.
inline std::string misfit(const std::string& text, bool (*fits)(double), const char* expected,
                          double end = integers_end) {
    double value = 0;
    if (!CLI::detail::lexical_cast(text, value) || !fits(value))
        return fmt::format("{}, expected {}", text, expected);
    return value < end ? std::string() : fmt::format("{} is too large", text);
}

/// "--frames: 0, expected a number over 0"
inline const CLI::Validator positive(
    [](std::string& text) {
        return misfit(
            text, [](double v) { return v > 0; }, "a number over 0");
    },
    "POSITIVE");

/// "--start: -1, expected a number of at least 0"
inline const CLI::Validator not_negative(
    [](std::string& text) {
        return misfit(
            text, [](double v) { return v >= 0; }, "0 or a number over it");
    },
    "NONNEGATIVE");

/// The same, up to 2^64 - 1.
inline const CLI::Validator seed_number(
    [](std::string& text) {
        std::uint64_t seed = 0;
        const auto* end = text.data() + text.size();
        const auto [stop, problem] = std::from_chars(text.data(), end, seed);
        if (problem == std::errc() && stop == end) return std::string();
        return misfit(
            text, [](double v) { return v >= 0; }, "0 or a number over it");
    },
    "NONNEGATIVE");

/// "--mean: nan, expected a number"
inline const CLI::Validator finite(
    [](std::string& text) {
        return misfit(
            text, [](double v) { return std::isfinite(v); }, "a number", HUGE_VAL);
    },
    "NUMBER");

/// "--run: empty, expected a name"
inline const CLI::Validator not_empty(
    [](std::string& text) { return std::string(text.empty() ? "empty, expected a name" : ""); }, "");

/// --allow-external, for commands that read files of unknown origin.
inline CLI::Option* add_allow_external(CLI::App& command, ExternalFiles& external) {
    return command
        .add_flag(
            "--allow-external", external.allowed,
            "also read other files that an input file refers to (HDF5 links, playlists), wherever they are")
        ->group("Input");
}

}  // namespace stl::tools
