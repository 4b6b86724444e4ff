// Options described once: a struct enumerates its keys in each(), from which they are read, written, checked, listed
// and documented.
//
//     struct StoveOptions {
//         std::int64_t plates = 4;
//         std::optional<double> heat;  // written only where it is set
//
//         template <class Options, class Visit>
//         static void each(Options& o, Visit&& key) {
//             key("plates", o.plates, between(1, 6), "number of plates");
//             key("heat", o.heat, positive(), "temperature of each plate");
//         }
//     };
//
// Members: bool, integers, double, std::array<double, N>, std::string, enums with member_names, std::optional of these.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/json.h"
#include "stl/core/names.h"

namespace stl {

/// What a key's values may be.
struct Rule {
    std::string expected = {};  ///< for listings: "1 to 6"; empty: any value of the key's type
    /// Error: "<where>: 7 is out of range, expected 1 to 6". For an array, called once for each number.
    std::function<void(const Json& value, const std::string& where)> check = [](const Json&, const auto&) {};
    bool required = false;
    bool changeable = false;  ///< what was begun with one value may be continued with another
};
/// The same, for a key whose value may change in between.
inline Rule changeable(Rule rule) {
    rule.changeable = true;
    return rule;
}
Rule at_least(std::int64_t least);
Rule between(std::int64_t least, std::int64_t most);
/// Above `bound`, and at most `most`.
Rule over(std::int64_t bound, std::int64_t most);
Rule positive();
Rule not_negative();
/// At least 0 and less than 1.
Rule fraction();
/// One of a registry's names. Error: "<where>: unknown optimizer 'adm' (did you mean 'adam'?)".
Rule one_of(const std::string& kind, std::vector<std::string> names);
/// One of an enum's names. Error: "<where>: 'fp8' is not known, expected fp32 or bf16".
Rule one_of(std::span<const std::string_view> names);

/// A key, as `stl list` shows it.
struct OptionInfo {
    std::string name;
    Json by_default;  ///< null: none
    std::string expected, meaning;
    bool changeable = false;
};

namespace options {

template <class T>
struct Parts {
    using Value = T;
    static constexpr bool optional = false, array = false;
};
template <class T>
struct Parts<std::optional<T>> : Parts<T> {
    using Value = T;
    static constexpr bool optional = true;
};
template <class T, std::size_t N>
struct Parts<std::array<T, N>> : Parts<T> {
    using Value = std::array<T, N>;
    static constexpr bool array = true;
};

/// An empty value of the type in which Fields reads T from JSON.
template <class T>
auto stored() {
    if constexpr (Parts<T>::array) {
        return std::vector<double>();
    } else if constexpr (std::is_enum_v<T>) {
        return std::string();
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        return std::int64_t{};
    } else {
        return T();
    }
}

template <class T>
Json written(const T& value) {
    if constexpr (Parts<T>::optional) {
        return value ? written(*value) : Json(nullptr);
    } else if constexpr (std::is_enum_v<T>) {
        return name_of(value);
    } else {
        return value;
    }
}

template <class T>
T taken(const decltype(stored<T>())& value, const std::string& where) {
    if constexpr (Parts<T>::array) {
        T all{};
        if (value.size() != all.size()) fail("{}: {} numbers, expected {}", where, value.size(), all.size());
        std::ranges::copy(value, all.begin());
        return all;
    } else if constexpr (std::is_enum_v<T>) {
        return member_named<T>(value, where + ":");
    } else {
        return static_cast<T>(value);
    }
}

inline void check(const Json& value, const Rule& rule, const std::string& where) {
    if (value.is_null()) return;
    if (!value.is_array()) return rule.check(value, where);
    for (const auto& one : value) rule.check(one, where);
}

}  // namespace options

/// Reads the keys that `fields` has; the others keep their values. Error: a value of another type, or against its rule.
template <class Options>
void read_options(Fields& fields, Options& o) {
    Options::each(o, [&](const char* name, auto& value, const Rule& rule, const char* /*meaning*/) {
        using Value = typename options::Parts<std::remove_reference_t<decltype(value)>>::Value;
        using Stored = decltype(options::stored<Value>());
        const auto found =
            rule.required ? std::optional(fields.require<Stored>(name)) : fields.find<Stored>(name);
        if (!found) return;
        options::check(*found, rule, fields.where(name));
        value = options::taken<Value>(*found, fields.where(name));
    });
}

/// All keys, except optional ones that are not set.
template <class Options>
Json write_options(const Options& o) {
    Json json = Json::object();
    Options::each(o, [&](const char* name, const auto& value, const Rule&, const char*) {
        if (auto text = options::written(value); !text.is_null()) json[name] = std::move(text);
    });
    return json;
}

/// Error: a value that violates its rule.
template <class Options>
void check_options(const Options& o, const std::string& where) {
    Options::each(o, [&](const char* name, const auto& value, const Rule& rule, const char*) {
        options::check(options::written(value), rule, key_path(where, name));
    });
}

template <class Options>
std::vector<OptionInfo> list_options() {
    std::vector<OptionInfo> list;
    const Options o;
    Options::each(o, [&](const char* name, const auto& value, const Rule& rule, const char* meaning) {
        list.push_back({name, options::written(value), rule.expected, meaning, rule.changeable});
    });
    return list;
}

}  // namespace stl
