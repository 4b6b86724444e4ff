// The control groups (cgroups) of Linux, by which containers, job queues and systemd limit what a process may use.
#pragma once

#include <string_view>
#include <vector>

#include "stl/core/file.h"

namespace stl {

struct ControlGroup {
    fs::path folder;
    int version;  ///< 1 or 2: they name the same things differently
};

/// The groups of this process that can limit `controller` ("memory", "cpu"): of each hierarchy from its top down, as far
/// as visible. (In a container the path may be the host's, of which only the end, or only the top, is visible.) `root`:
/// where /proc and /sys/fs/cgroup are, for tests.
std::vector<ControlGroup> control_groups(std::string_view controller, const fs::path& root = "/");

}  // namespace stl
