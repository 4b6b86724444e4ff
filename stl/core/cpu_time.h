// How much of the processor the threads of this process get beside those of other programs.
#pragma once

#include "stl/core/file.h"

namespace stl {

/// Of all threads that this process has now, since each began, in seconds.
struct CpuTime {
    double running = 0;
    double waiting = 0;  ///< ready to run while no core was free, or the container's quota was used up
};

/// All zero where the system does not tell (/proc/<process>/task/<thread>/schedstat). `root`: where /proc is, for tests.
CpuTime cpu_time(const fs::path& root = "/");

/// Of the time that the threads could have used between two readings, the share that they got, from 0 to 1; 1 where
/// nothing is known.
double share_between(const CpuTime& before, const CpuTime& after);

}  // namespace stl
