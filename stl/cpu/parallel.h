// Spreads units of work over threads: the caller and its helpers, in number OpenMP's threads, which LibTorch sets.
//
// Not OpenMP's own loop, since its threads wait for each other by spinning for milliseconds: on a machine where other
// programs hold some of the cores, most of the time is lost. Here a thread that finds nothing to do gives its core back
// after some ten microseconds, and a helper that gets no core delays nobody.
#pragma once

#include <type_traits>

namespace stl::cpu {

int thread_count();  ///< at most so many threads run a parallel() call
void set_thread_count(
    int threads);  ///< of what the calling thread starts from now on; other threads keep theirs
/// Of the calling thread, from 0 to thread_count() - 1, within parallel() or a parallel region of OpenMP; 0 outside.
int thread_index();

namespace detail {
void run_units(int units, void (*call)(const void* task, int unit), const void* task);
}

/// task(unit) for 0 <= unit < units, in any order, on several threads. task must not throw. A call from within a unit, or
/// within a parallel region of OpenMP, runs on the thread that makes it. Several threads may call at once: each has
/// helpers of its own, which end with it.
template <class Task>
void parallel(int units, const Task& task) {
    detail::run_units(
        units, [](const void* t, int unit) { (*static_cast<const Task*>(t))(unit); }, &task);
}

}  // namespace stl::cpu
