#include "stl/core/cpu_time.h"

#include <fstream>
#include <system_error>

namespace stl {

CpuTime cpu_time(const fs::path& root) {
    CpuTime total;
    std::error_code error;
    for (const auto& thread : fs::directory_iterator(root / "proc/self/task", error)) {
        std::ifstream in(thread.path() / "schedstat");
        constexpr double second = 1e9;  // in the file's nanoseconds
        double running = 0, waiting = 0;
        if (!(in >> running >> waiting)) continue;  // the thread has just ended, for example
        total.running += running / second;
        total.waiting += waiting / second;
    }
    return total;
}

double share_between(const CpuTime& before, const CpuTime& after) {
    const double running = after.running - before.running, waiting = after.waiting - before.waiting;
    if (!(running > 0) || !(waiting > 0)) return 1;
    return running / (running + waiting);
}

}  // namespace stl
