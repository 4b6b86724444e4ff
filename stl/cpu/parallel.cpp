#include "stl/cpu/parallel.h"

#include <omp.h>

namespace stl::cpu {

int thread_count() {
    return omp_get_max_threads();
}

int thread_index() {
    return omp_get_thread_num();
}

void detail::run_units(int units, void (*call)(const void* task, int unit), const void* task) {
#pragma omp parallel for schedule(dynamic, 1) if (units > 1)
    for (int unit = 0; unit < units; ++unit) call(task, unit);
}

}  // namespace stl::cpu
