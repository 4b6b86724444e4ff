// Nearest names, for messages that help: "unknown translator 'mogant' (did you mean 'moganet'?)".
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stl {

/// The candidate with the smallest edit distance to `name` (swapping two letters is one edit). Empty if none is near:
/// within one edit for names of up to four letters, two for up to eight, a third of the length for longer ones.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// " (did you mean 'x'?)" or, if no candidate is near, " (expected one of a, b, c)"; for the end of a message.
/// If there are many candidates, only the nearest few are listed, and the number of the others.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// Error: "unknown <kind> 'x' (did you mean 'y'?)", after "<where>: " unless that is empty.
[[noreturn]] void fail_unknown(std::string_view where, std::string_view kind, std::string_view name,
                               std::span<const std::string> candidates);

/// The names of a registry's members.
template <class List>
std::vector<std::string> names_of(const List& list) {
    std::vector<std::string> names;
    for (const auto& member : list) names.push_back(member.name);
    return names;
}

/// The member of a registry's list that has this name. Error: as in fail_unknown().
template <class List>
const auto& find_named(const List& list, std::string_view name, std::string_view kind,
                       std::string_view where = "") {
    for (const auto& member : list) {
        if (member.name == name) return member;
    }
    fail_unknown(where, kind, name, names_of(list));
}

/// The names of an enum's members, in order. Specialise it for each enum that is read and written by name.
template <class Enum>
inline constexpr std::array<std::string_view, 0> member_names{};

template <class Enum>
std::string name_of(Enum member) {
    return std::string(member_names<Enum>.at(static_cast<std::size_t>(member)));
}

/// The index of `name` in `names`. Error: "<what> 'x' is not known, expected a, b or c".
std::size_t place_of_name(std::string_view name, std::string_view what,
                          std::span<const std::string_view> names);

/// The member with this name. Error: as in place_of_name(). among: the leading names, if not all are allowed.
template <class Enum>
Enum member_named(std::string_view name, std::string_view what,
                  std::span<const std::string_view> among = member_names<Enum>) {
    return static_cast<Enum>(place_of_name(name, what, among));
}

/// "1 sequence", "3 sequences"
std::string counted(std::int64_t count, std::string_view noun);

/// "a", "a or b", "a, b or c" if `last` is "or".
std::string listed(std::span<const std::string> names, std::string_view last);

/// ASCII lower case.
std::string lower_case(std::string_view text);

/// Whether the path has one of these extensions (given in lower case, as ".png"), ignoring case.
template <class List>
bool has_extension(const std::filesystem::path& path, const List& extensions) {
    return std::ranges::find(extensions, lower_case(path.extension().string())) != extensions.end();
}

/// `text` up to its first line break.
std::string first_line(const std::string& text);

}  // namespace stl
