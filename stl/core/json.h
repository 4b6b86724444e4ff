// Strict JSON: an unknown key or a value of the wrong type is an error that names it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/file.h"

namespace stl {

using Json = nlohmann::ordered_json;

/// Default limit of a file's size. Parsed, a file takes about fifty times its size in memory.
constexpr std::uint64_t most_json_bytes = std::uint64_t{16} << 20;

/// Parses text; `//` comments are allowed, duplicate keys are not. Error: "<where>: line 3: ...". The message
/// quotes nothing of a text that is not JSON.
Json parse_json(std::string_view text, const std::string& where);
/// The same for a file. Error, in addition: it cannot be read, or has more than `limit` bytes.
Json read_json(const fs::path& path, std::uint64_t limit = most_json_bytes);
/// Indented text. Bytes that are not UTF-8 (file names may contain some) become U+FFFD.
std::string to_text(const Json& json);
/// The same on one line.
std::string to_line(const Json& json);
/// Writes indented JSON atomically.
void write_json(const fs::path& path, const Json& json, bool replace = true);

/// The value under `key`; null if there is none, or `json` is not an object. For what any program may have written.
Json value_of(const Json& json, const char* key);

/// "a.json: model" and "hid_T" -> "a.json: model.hid_T"; "a.json" and "model" -> "a.json: model".
std::string key_path(const std::string& where, const std::string& key);

/// A strict view of one JSON object. Ask for every key that is allowed, then call finish().
///
///     Fields fields(json, "experiments/a.json: model");
///     const auto hid_T = fields.get<std::int64_t>("hid_T", 512);
///     fields.finish();   // an Error that names the first unknown key, and the known key nearest to it
///
/// T: bool, std::int64_t, double, std::string, std::vector<std::int64_t|double|std::string>, Json.
class Fields {
  public:
    /// Keeps a copy of `object`. Error if it is not a JSON object.
    Fields(Json object, std::string where);

    bool has(const std::string& key) const;
    /// Error if absent or of another type (an integer is accepted as a double, but 2.0 not as an integer).
    template <class T>
    T require(const std::string& key);
    /// `fallback` if absent or null.
    template <class T>
    T get(const std::string& key, T fallback);
    template <class T>
    std::optional<T> find(const std::string& key);
    /// The object under `key` as Fields of its own (empty if absent).
    Fields child(const std::string& key);

    /// Error: `object` has a key that was not asked for; the message names the first.
    void finish() const;
    /// "experiments/a.json: model.hid_T", for messages about a key's value.
    std::string where(const std::string& key) const;
    const Json& object() const { return object_; }

  private:
    const Json* look_up(const std::string& key);

    Json object_;
    std::string where_;
    std::set<std::string> known_;
};

}  // namespace stl
