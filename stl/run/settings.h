// What an experiment's JSON holds: its keys by short names, its file names.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "stl/core/json.h"

namespace stl {

/// Calls function(path) for the file names that an experiment's JSON has: of data sets and initial weights.
void for_each_path(Json& experiment, const std::function<void(std::string& path)>& function);
/// Makes those that are there absolute, so that they are found from any folder.
void make_paths_absolute(Json& experiment);

/// The whole key that `name` is short for: "train.lr" for "lr", "train.batch_size" for "batch"; dashes may stand for
/// underscores. Empty if there is none, or more than one.
std::string setting_key(std::string_view name);

}  // namespace stl
