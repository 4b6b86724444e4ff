// Where the data sets are: where STL_DATA says, beside the program, or in the source tree.
#pragma once

#include <optional>
#include <string>

#include "stl/core/file.h"

namespace stl {

/// The first that exists of $STL_DATA/<name>, ./datasets/<name>, <program>/../share/stl/datasets/<name> and
/// the source tree's datasets/<name>; `name` may also be a path in there, "mmnist/mnist_test_seq.npy".
std::optional<fs::path> locate_dataset(const std::string& name);
/// The same. Error: where it was looked for.
fs::path require_dataset(const std::string& name);

}  // namespace stl
