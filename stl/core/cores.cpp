#include "stl/core/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

#include "stl/core/control_groups.h"

namespace stl {
namespace {

int cores_of_affinity() {
    cpu_set_t set;
    CPU_ZERO(&set);
    // Fails on machines with more cores than the set has places for.
    if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
    return static_cast<int>(std::thread::hardware_concurrency());
}

/// In cores; infinite where the group has no limit.
double quota(const ControlGroup& group) {
    double time = 0, period = 0;
    if (group.version == 2) {
        std::ifstream in(group.folder / "cpu.max");  // "200000 100000", "max 100000"
        in >> time >> period;
    } else {
        std::ifstream(group.folder / "cpu.cfs_quota_us") >> time;  // -1: no limit
        std::ifstream(group.folder / "cpu.cfs_period_us") >> period;
    }
    return time > 0 && period > 0 ? time / period : INFINITY;
}

}  // namespace

int available_cores(const fs::path& root) {
    double cores = cores_of_affinity();
    for (const auto& group : control_groups("cpu", root)) cores = std::min(cores, std::ceil(quota(group)));
    return std::max(1, static_cast<int>(cores));
}

}  // namespace stl
