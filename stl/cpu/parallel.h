// Spreads units of work over threads: OpenMP's pool, which LibTorch uses as well (and sets the size of).
#pragma once

#include <type_traits>

namespace stl::cpu {

int thread_count();  ///< at most so many threads run a parallel() call
int thread_index();  ///< of the calling thread, within parallel(); 0 outside

namespace detail {
void run_units(int units, void (*call)(const void* task, int unit), const void* task);
}

/// task(unit) for 0 <= unit < units, in any order, on several threads. task must not throw.
template <class Task>
void parallel(int units, const Task& task) {
    detail::run_units(
        units, [](const void* t, int unit) { (*static_cast<const Task*>(t))(unit); }, &task);
}

}  // namespace stl::cpu
