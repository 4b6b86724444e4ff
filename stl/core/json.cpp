#include "stl/core/json.h"

#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/core/utf8.h"

namespace stl {
namespace {

/// Copying and printing a value are recursive: a file of brackets alone must not exhaust the stack.
constexpr int deepest = 200;

std::size_t line_of(std::string_view text, std::size_t byte) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
    return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

template <class T>
struct Kind;

template <>
struct Kind<bool> {
    static std::string name() { return "true or false"; }
    static bool fits(const Json& j) { return j.is_boolean(); }
};
template <>
struct Kind<std::int64_t> {
    static std::string name() { return "an integer"; }
    static bool fits(const Json& j) {
        return j.is_number_integer() && !(j.is_number_unsigned() && j.get<std::uint64_t>() > INT64_MAX);
    }
};
template <>
struct Kind<double> {
    static std::string name() { return "a number"; }
    static bool fits(const Json& j) { return j.is_number(); }
};
template <>
struct Kind<std::string> {
    static std::string name() { return "a string"; }
    static bool fits(const Json& j) { return j.is_string(); }
};
template <>
struct Kind<Json> {
    static std::string name() { return "a value"; }
    static bool fits(const Json&) { return true; }
};
template <class E>
struct Kind<std::vector<E>> {
    static std::string name() { return "a list, each " + Kind<E>::name(); }
    static bool fits(const Json& j) { return j.is_array() && std::ranges::all_of(j, Kind<E>::fits); }
};

/// indent -1: on one line.
std::string dumped(const Json& json, int indent) {
    return json.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

/// The object being read: its keys so far, to refuse one that stands twice.
struct OpenObject {
    std::set<std::string> keys;
    std::string last;
};

/// A path would end at it.
void refuse_nul(const std::string& text, const std::string& where) {
    if (text.find('\0') != std::string::npos) fail("{}: holds the character \\u0000", where);
}

/// Without what the parser quotes of a text that is not JSON: the file may be one that nobody meant to show.
void drop_quotation(std::string& reason) {
    const auto begin = reason.find("; last read: '");
    if (begin == std::string::npos) return;
    const auto end = reason.rfind("'; expected ");
    reason.erase(begin, end == std::string::npos || end < begin ? end : end + 1 - begin);
}

/// The parser's words without its prefix "[json.exception. ...]". It quotes what it read, of any length.
std::string reason_of(const nlohmann::json::exception& error) {
    constexpr std::size_t most = 200;
    std::string reason = error.what();
    if (const auto end = reason.find("] "); end != std::string::npos) reason.erase(0, end + 2);
    if (const auto colon = reason.find(": "); reason.starts_with("parse error") && colon != std::string::npos)
        reason.erase(0, colon + 2);
    drop_quotation(reason);
    return reason.size() <= most ? reason : reason.substr(0, most) + "...";
}

/// For a number that no double holds the parser gives no place, but quotes it.
std::size_t line_of_quoted(std::string_view text, std::string_view what) {
    const auto begin = what.find('\'');
    const auto end = what.rfind('\'');
    if (begin == std::string_view::npos || begin == end) return 1;
    return line_of(text, text.find(what.substr(begin + 1, end - begin - 1)));
}

std::string shown(const Json& value) {
    auto text = to_line(value);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
    std::vector<OpenObject> open;
    const auto callback = [&](int depth, nlohmann::detail::parse_event_t event, Json& parsed) {
        using Event = nlohmann::detail::parse_event_t;
        if (depth > deepest) fail("{}: nested deeper than {}", where, deepest);
        if (event == Event::object_start) open.emplace_back();
        if (event == Event::object_end) open.pop_back();
        if (event == Event::key) {
            open.back().last = parsed.get<std::string>();
            const auto key = printable(open.back().last);
            refuse_nul(open.back().last, fmt::format("{}: key '{}'", where, key));
            if (!open.back().keys.insert(open.back().last).second)
                fail("{}: key '{}' appears twice in one object", where, key);
        }
        if (event == Event::value && parsed.is_string()) {
            const auto& text = parsed.get_ref<const std::string&>();
            refuse_nul(text, open.empty() ? where : key_path(where, printable(open.back().last)));
        }
        return true;
    };
    try {
        return Json::parse(text, callback, /*allow_exceptions=*/true, /*ignore_comments=*/true);
    } catch (const nlohmann::json::parse_error& error) {
        fail("{}: line {}: not valid JSON ({})", where, line_of(text, error.byte), reason_of(error));
    } catch (const nlohmann::json::exception& error) {
        fail("{}: line {}: not valid JSON ({})", where, line_of_quoted(text, error.what()), reason_of(error));
    }
}

Json read_json(const fs::path& path, std::uint64_t limit) {
    const auto text = read_text(path, limit);
    if (const auto what = stand_in(std::as_bytes(std::span(text))); !what.empty())
        fail("{}: {}", path.string(), what);
    return parse_json(text, path.string());
}

std::string to_text(const Json& json) {
    return dumped(json, 2);
}

std::string to_line(const Json& json) {
    return dumped(json, -1);
}

void write_json(const fs::path& path, const Json& json, bool replace) {
    write_text(path, to_text(json) + "\n", replace);
}

Json value_of(const Json& json, const char* key) {
    return json.is_object() ? json.value(key, Json()) : Json();
}

std::string key_path(const std::string& where, const std::string& key) {
    return where + (where.find(": ") == std::string::npos ? ": " : ".") + key;
}

Fields::Fields(Json object, std::string where) : object_(std::move(object)), where_(std::move(where)) {
    if (object_.is_null()) object_ = Json::object();
    if (!object_.is_object()) fail("{}: {} is not an object {{...}}", where_, shown(object_));
}

std::string Fields::where(const std::string& key) const {
    return key_path(where_, key);
}

const Json* Fields::look_up(const std::string& key) {
    known_.insert(key);
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool Fields::has(const std::string& key) const {
    const auto it = object_.find(key);
    return it != object_.end() && !it->is_null();
}

template <class T>
std::optional<T> Fields::find(const std::string& key) {
    const Json* value = look_up(key);
    if (value == nullptr) return std::nullopt;
    if (!Kind<T>::fits(*value)) fail("{}: {} is not {}", where(key), shown(*value), Kind<T>::name());
    return value->get<T>();
}

template <class T>
T Fields::require(const std::string& key) {
    auto value = find<T>(key);
    if (!value) fail("{}: missing, expected {}", where(key), Kind<T>::name());
    return *std::move(value);
}

template <class T>
T Fields::get(const std::string& key, T fallback) {
    auto value = find<T>(key);
    return value ? *std::move(value) : std::move(fallback);
}

Fields Fields::child(const std::string& key) {
    const Json* value = look_up(key);
    return Fields(value ? *value : Json::object(), where(key));
}

void Fields::finish() const {
    for (const auto& [key, value] : object_.items()) {
        if (known_.contains(key)) continue;
        const std::vector<std::string> names(known_.begin(), known_.end());
        const auto quoted = printable(key);
        fail("{}: unknown key{}", where(quoted), did_you_mean(quoted, names));
    }
}

#define STL_FIELD_TYPE(T)                              \
    template T Fields::require<T>(const std::string&); \
    template T Fields::get<T>(const std::string&, T);  \
    template std::optional<T> Fields::find<T>(const std::string&);
STL_FIELD_TYPE(bool)
STL_FIELD_TYPE(std::int64_t)
STL_FIELD_TYPE(double)
STL_FIELD_TYPE(std::string)
STL_FIELD_TYPE(Json)
STL_FIELD_TYPE(std::vector<std::int64_t>)
STL_FIELD_TYPE(std::vector<double>)
STL_FIELD_TYPE(std::vector<std::string>)
#undef STL_FIELD_TYPE

}  // namespace stl
