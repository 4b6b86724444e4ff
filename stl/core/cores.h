// How many cores this process may use.
#pragma once

#include "stl/core/file.h"

namespace stl {

/// The least of: the cores that the process may run on (its affinity), and the CPU time that each of its control groups
/// allows, in cores, rounded up. At least 1. `root`: see control_groups().
int available_cores(const fs::path& root = "/");

}  // namespace stl
