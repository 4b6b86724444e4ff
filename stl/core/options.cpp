#include "stl/core/options.h"

#include <fmt/ranges.h>

#include <cmath>

namespace stl {
namespace {

/// Refuses what is not a number, too.
template <class Holds>
Rule number(std::string expected, std::string refusal, Holds holds) {
    return {std::move(expected),
            [refusal = std::move(refusal), holds](const Json& value, const std::string& where) {
                if (holds(value.get<double>())) return;
                const auto shown =
                    value.is_number_integer() ? value.dump() : fmt::format("{}", value.get<double>());
                fail("{}: {} {}", where, shown, refusal);
            }};
}

}  // namespace

Rule at_least(std::int64_t least) {
    const auto expected = fmt::format("at least {}", least);
    return number(expected, "is too small, expected " + expected,
                  [least](double value) { return value >= static_cast<double>(least); });
}

Rule between(std::int64_t least, std::int64_t most) {
    const auto expected = fmt::format("{} to {}", least, most);
    return number(expected, "is out of range, expected " + expected, [least, most](double value) {
        return value >= static_cast<double>(least) && value <= static_cast<double>(most);
    });
}

Rule over(std::int64_t bound, std::int64_t most) {
    const auto expected = fmt::format("more than {} and at most {}", bound, most);
    return number(expected, "is out of range, expected " + expected, [bound, most](double value) {
        return value > static_cast<double>(bound) && value <= static_cast<double>(most);
    });
}

Rule positive() {
    return number("over 0", "is not a positive number",
                  [](double value) { return value > 0 && std::isfinite(value); });
}

Rule not_negative() {
    return number("0 or more", "is negative or no number",
                  [](double value) { return value >= 0 && std::isfinite(value); });
}

Rule fraction() {
    const std::string expected = "at least 0 and less than 1";
    return number(expected, "is out of range, expected " + expected,
                  [](double value) { return value >= 0 && value < 1; });
}

Rule one_of(const std::string& kind, std::vector<std::string> names) {
    const auto expected = fmt::format("{}", fmt::join(names, ", "));
    return {expected, [kind, names = std::move(names)](const Json& value, const std::string& where) {
                const auto& name = value.get_ref<const std::string&>();
                if (std::ranges::find(names, name) == names.end()) fail_unknown(where, kind, name, names);
            }};
}

Rule one_of(std::span<const std::string_view> names) {
    return {fmt::format("{}", fmt::join(names, ", ")), [names](const Json& value, const std::string& where) {
                place_of_name(value.get_ref<const std::string&>(), where + ":", names);
            }};
}

}  // namespace stl
