// A kernel's grid on the CPU, a thread at a time, which shows what only grids and blocks can get wrong: every
// launch is held against a GPU's limits, __syncthreads is a barrier that all threads of a block have to
// reach, and between barriers threads run in any order that is asked for.
//
// Not seen: the bounds of __launch_bounds__ (a launch on a GPU fails), too much shared memory (nvcc refuses
// it), what threads of a warp do at the same time, the order of memory accesses, speed.
#pragma once

#include <cstdint>
#include <functional>

#include "stl/gpu/emulated/device.h"

namespace stl::gpu::emulated {

/// Of a block's threads between barriers, and of a grid's blocks. Results must not depend on it.
enum class Order { ascending, descending, shuffled };

/// In this scope; elsewhere ascending. Not for several threads.
class OrderScope {
  public:
    explicit OrderScope(Order order, std::uint64_t seed = 1);
    ~OrderScope();
    OrderScope(const OrderScope&) = delete;
    OrderScope& operator=(const OrderScope&) = delete;
};

/// Calls `thread` for every thread of every block, with threadIdx and its like set. Error (of `kernel`): a
/// grid or block that a GPU refuses; threads that wait at a barrier that others passed by.
void run_grid(const char* kernel, dim3 grid, dim3 block, const std::function<void()>& thread);

}  // namespace stl::gpu::emulated
