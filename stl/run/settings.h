// Helpers for an experiment's JSON: finding keys by short names, and the file names in it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/json.h"

namespace stl {

/// Calls function(path) for every file name in an experiment's JSON: those of data sets and initial weights.
void for_each_path(Json& experiment, const std::function<void(std::string& path)>& function);
/// Makes the names of existing files absolute, so that they are found from any working directory.
void make_paths_absolute(Json& experiment);

/// A setting that is another one: of "train.lr" what it was and what it is, as JSON on one short line ("absent").
struct SettingChange {
    std::string key, before, now;
};
enum class Compared {
    all,      ///< keys that one of the two lacks, too
    earlier,  ///< without keys that are new, as later versions add some
    common,   ///< of keys that both have
};
/// Between two experiments, without the settings that leave the mathematics as they are (the last bits follow
/// train.threads), and with one spelling of each path.
std::vector<SettingChange> setting_changes(const Json& before, const Json& now, Compared compared);

/// A key that --set takes.
struct SettingKey {
    std::string key;    ///< "train.lr"
    Json by_default{};  ///< null: it has none
};
/// All of them, each once: those of every data set too.
std::vector<SettingKey> setting_keys();

/// The full key that `name` abbreviates: "train.lr" for "lr", "train.batch_size" for "batch"; dashes may stand for
/// underscores. Of several, the first in setting_keys(); empty if there is none.
std::string setting_key(std::string_view name);

}  // namespace stl
