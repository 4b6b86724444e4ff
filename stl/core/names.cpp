#include "stl/core/names.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/utf8.h"

namespace stl {
namespace {

/// Insertions, deletions, substitutions and swaps of neighbours that take a to b (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last = std::exchange(last, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substitute = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitute});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
    }
    return row.back();
}

/// So many names at most stand in a message; of more than that, the nearest.
constexpr std::size_t most_listed = 14;
constexpr std::size_t nearest_listed = 10;

std::vector<std::string> nearest_first(std::string_view name, std::span<const std::string> candidates) {
    std::vector<std::pair<std::size_t, std::string>> ranked;
    for (const auto& candidate : candidates)
        ranked.emplace_back(edit_distance(lower_case(name), lower_case(candidate)), candidate);
    std::ranges::stable_sort(ranked, {}, &std::pair<std::size_t, std::string>::first);
    std::vector<std::string> names;
    for (auto& [distance, candidate] : ranked) names.push_back(std::move(candidate));
    return names;
}

}  // namespace

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return out;
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
    std::string best;
    std::size_t best_distance = (name.size() <= 4 ? 1 : std::max<std::size_t>(2, name.size() / 3)) + 1;
    for (const auto& candidate : candidates) {
        const auto distance = edit_distance(lower_case(name), lower_case(candidate));
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
    const auto nearest = nearest_name(name, candidates);
    if (!nearest.empty()) return fmt::format(" (did you mean '{}'?)", nearest);
    if (candidates.empty()) return "";
    if (candidates.size() <= most_listed)
        return fmt::format(" (expected one of {})", fmt::join(candidates, ", "));
    auto listed = nearest_first(name, candidates);
    listed.resize(nearest_listed);
    return fmt::format(" (expected one of {} and {} more)", fmt::join(listed, ", "),
                       candidates.size() - nearest_listed);
}

void fail_unknown(std::string_view where, std::string_view kind, std::string_view name,
                  std::span<const std::string> candidates) {
    const auto quoted = printable(name);
    fail("{}{}unknown {} '{}'{}", where, where.empty() ? "" : ": ", kind, quoted,
         did_you_mean(quoted, candidates));
}

std::size_t place_of_name(std::string_view name, std::string_view what,
                          std::span<const std::string_view> names) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    fail("{} '{}' is not known, expected {}", what, printable(name),
         listed(std::vector<std::string>(names.begin(), names.end()), "or"));
}

std::string counted(std::int64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string listed(std::span<const std::string> names, std::string_view last) {
    if (names.size() < 2) return names.empty() ? "" : names.front();
    return fmt::format("{} {} {}", fmt::join(names.first(names.size() - 1), ", "), last, names.back());
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

}  // namespace stl
