// Finds data sets (in $STL_DATA, in ./datasets, relative to the program, or in the source tree), and libraries of stl that
// are opened at run time.
#pragma once

#include <optional>
#include <string>

#include "stl/core/file.h"

namespace stl {

/// The first that exists of $STL_DATA/<name>, ./datasets/<name>, <program>/../share/stl/datasets/<name> and
/// the source tree's datasets/<name>; `name` may also be a path below that folder, as "mmnist/mnist_test_seq.npy".
std::optional<fs::path> locate_dataset(const std::string& name);
/// The same. Error if it is not found; the message lists the places searched.
fs::path require_dataset(const std::string& name);

/// The file of a library of stl, "libstl_cuda.so": beside the program, or beside the shared library that this code is part
/// of, or where an installation has it. Empty: missing.
fs::path locate_library(const std::string& name);

}  // namespace stl
