#include "stl/media/picture_pieces.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

namespace stl {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The numbers of a name, and what stands between them.
struct Name {
    std::vector<std::string> numbers;
    std::string text;  ///< with a NUL for each number
};

Name parse(std::string_view name) {
    constexpr std::size_t most_digits = 18;  // of a number that is counted with; a longer one is text
    Name out;
    while (!name.empty()) {
        const auto end = std::find_if_not(name.begin(), name.end(), is_digit);
        const auto digits = static_cast<std::size_t>(end - name.begin());
        if (digits == 0) {
            out.text += name[0];
            name.remove_prefix(1);
            continue;
        }
        if (digits > most_digits) {
            out.text += name.substr(0, digits);
        } else {
            out.text += '\0';
            out.numbers.emplace_back(name.substr(0, digits));
        }
        name.remove_prefix(digits);
    }
    return out;
}

std::int64_t value_of(std::string_view digits) {
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

/// Where a picture is in its film. Steps that differ by less than `slack` are alike.
struct Place {
    double at = 0, slack = 0;
};

/// YYYYMMDDhhmm, with seconds and milliseconds or without.
std::optional<Place> moment(std::string_view digits) {
    if (digits.size() != 12 && digits.size() != 14 && digits.size() != 17) return std::nullopt;
    const auto part = [&](std::size_t from, std::size_t count) {
        return static_cast<int>(digits.size() > from ? value_of(digits.substr(from, count)) : 0);
    };
    const std::chrono::year_month_day date{std::chrono::year(part(0, 4)),
                                           std::chrono::month(static_cast<unsigned>(part(4, 2))),
                                           std::chrono::day(static_cast<unsigned>(part(6, 2)))};
    const int hour = part(8, 2), minute = part(10, 2), second = part(12, 2);
    const bool plausible = part(0, 4) >= 1900 && part(0, 4) < 2100 && hour < 24 && minute < 60 && second < 61;
    if (!date.ok() || !plausible) return std::nullopt;
    const auto day = std::chrono::sys_days(date).time_since_epoch().count();
    const double seconds = static_cast<double>(day) * 86400 + hour * 3600 + minute * 60 + second;
    return Place{seconds + part(14, 3) / 1000.0, digits.size() == 17 ? 0.001 : 1.0};
}

/// The moment that the last numbers of a name are, from the first number at which they are one.
struct Moment {
    Place place;
    std::size_t first;
};
std::optional<Moment> moment_of(const Name& name) {
    for (std::size_t first = 0; first < name.numbers.size(); ++first) {
        std::string digits;
        for (std::size_t i = first; i < name.numbers.size(); ++i) digits += name.numbers[i];
        if (const auto place = moment(digits)) return Moment{*place, first};
    }
    return std::nullopt;
}

/// Which of the numbers counts, in names that have the same text.
struct Counter {
    std::size_t index = 0;
    bool unique = false;  ///< no two names have the same
};

Counter find_counter(std::span<const Name> names, std::span<const std::size_t> group) {
    Counter found;
    for (std::size_t i = 0; i < names[group[0]].numbers.size(); ++i) {
        std::set<std::string_view> values;
        for (const auto n : group) values.insert(names[n].numbers[i]);
        if (values.size() == group.size()) return {i, true};
        if (values.size() > 1) found.index = i;
    }
    return found;
}

/// Widths of the counters that are filled up with zeros.
std::set<std::size_t> padded_widths(std::span<const Name> names, std::span<const std::size_t> group,
                                    std::size_t counter) {
    std::set<std::size_t> widths;
    for (const auto n : group) {
        const auto& digits = names[n].numbers[counter];
        if (digits.size() > 1 && digits[0] == '0') widths.insert(digits.size());
    }
    return widths;
}

/// The width that a counter is filled up to; 0: to none.
std::size_t width_of(const std::string& digits, const std::set<std::size_t>& widths) {
    const auto above = widths.upper_bound(digits.size());
    return above == widths.begin() ? 0 : *std::prev(above);
}

/// What the name of a picture says of it.
struct Numbered {
    std::string scheme;  ///< equal for pictures that are counted together
    Place place;
};

/// Of names with the same text.
void number_group(std::span<const Name> names, std::span<const std::size_t> group,
                  std::span<Numbered> numbered) {
    const auto all_moments = std::all_of(group.begin(), group.end(),
                                         [&](std::size_t n) { return moment_of(names[n]).has_value(); });
    const Counter counter = find_counter(names, group);
    const auto widths = padded_widths(names, group, counter.index);
    for (const auto n : group) {
        const Name& name = names[n];
        auto& out = numbered[n];
        out.scheme = name.text;
        std::size_t end = counter.unique ? counter.index : name.numbers.size();
        if (all_moments) {
            const auto found = *moment_of(name);
            out.place = found.place;
            end = found.first;
        } else {
            const auto& digits = name.numbers[counter.index];
            out.place = {static_cast<double>(value_of(digits)), 0};
            out.scheme += std::to_string(width_of(digits, widths));
        }
        for (std::size_t i = 0; i < end; ++i) {
            if (all_moments || i != counter.index) out.scheme += '/' + name.numbers[i];
        }
    }
}

std::vector<Numbered> number(std::span<const std::string> texts) {
    std::vector<Name> names;
    std::map<std::string, std::vector<std::size_t>> groups;
    for (const auto& text : texts) {
        names.push_back(parse(text));
        groups[names.back().text].push_back(names.size() - 1);
    }
    std::vector<Numbered> numbered(names.size());
    for (const auto& [text, group] : groups) {
        if (!names[group[0]].numbers.empty()) {
            number_group(names, group, numbered);
        } else {
            for (const auto n : group) numbered[n].scheme = text;
        }
    }
    return numbered;
}

/// The step that half of the pictures take at most; 0 of fewer than two.
double usual_step(const PicturePiece& scheme, std::span<const Numbered> numbered) {
    std::vector<double> steps;
    for (std::size_t i = 1; i < scheme.size(); ++i) {
        const double step = numbered[scheme[i]].place.at - numbered[scheme[i - 1]].place.at;
        if (step > 0) steps.push_back(step);
    }
    if (steps.empty()) return 0;
    const auto middle = steps.begin() + (std::ssize(steps) - 1) / 2;
    std::nth_element(steps.begin(), middle, steps.end());
    return *middle;
}

void cut_scheme(PicturePiece scheme, std::span<const Numbered> numbered, std::vector<PicturePiece>& out) {
    std::stable_sort(scheme.begin(), scheme.end(), [&](std::size_t a, std::size_t b) {
        return numbered[a].place.at < numbered[b].place.at;
    });
    const double usual = usual_step(scheme, numbered);
    out.emplace_back();
    for (std::size_t i = 0; i < scheme.size(); ++i) {
        const Place& place = numbered[scheme[i]].place;
        const double before = i > 0 ? numbered[scheme[i - 1]].place.at : place.at;
        if (place.at - before > 1.5 * usual + place.slack) out.emplace_back();
        out.back().push_back(scheme[i]);
    }
}

}  // namespace

std::vector<PicturePiece> picture_pieces(std::span<const std::string> names) {
    const auto numbered = number(names);
    std::vector<PicturePiece> schemes;  // in the order in which they begin
    std::map<std::string_view, std::size_t> index;
    for (std::size_t i = 0; i < numbered.size(); ++i) {
        const auto [at, fresh] = index.emplace(numbered[i].scheme, schemes.size());
        if (fresh) schemes.emplace_back();
        schemes[at->second].push_back(i);
    }
    if (2 * schemes.size() > names.size()) {  // most names are like no other: they don't count
        PicturePiece all(names.size());
        std::iota(all.begin(), all.end(), std::size_t{0});
        return {all};
    }
    std::vector<PicturePiece> pieces;
    for (auto& scheme : schemes) cut_scheme(std::move(scheme), numbered, pieces);
    return pieces;
}

}  // namespace stl
