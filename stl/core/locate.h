// Where the data sets are: where STL_DATA says, beside the program, or in the source tree.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stl/core/file.h"

namespace stl {

/// The first that exists of $STL_DATA/<name>, ./datasets/<name>, <program>/../share/stl/datasets/<name> and
/// the source tree's datasets/<name>; `name` may also be a path in there, "mmnist/mnist_test_seq.npy".
std::optional<fs::path> locate_dataset(const std::string& name);

/// The shipped glyphs, and every data set of the registry that needs data of its own, and where they are; for
/// `stl doctor`.
std::vector<std::pair<std::string, std::optional<fs::path>>> locate_datasets();

/// The shipped training glyphs of "mnist" or "fashion-mnist". Error: where they were looked for.
fs::path locate_glyphs(const std::string& name);

}  // namespace stl
