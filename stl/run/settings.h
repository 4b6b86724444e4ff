// Helpers for an experiment's JSON: finding keys by short names, and the file names in it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "stl/core/json.h"

namespace stl {

/// Calls function(path) for every file name in an experiment's JSON: those of data sets and initial weights.
void for_each_path(Json& experiment, const std::function<void(std::string& path)>& function);
/// Makes the names of existing files absolute, so that they are found from any working directory.
void make_paths_absolute(Json& experiment);

/// The full key that `name` abbreviates: "train.lr" for "lr", "train.batch_size" for "batch"; dashes may stand for
/// underscores. Empty if there is none, or more than one.
std::string setting_key(std::string_view name);

}  // namespace stl
