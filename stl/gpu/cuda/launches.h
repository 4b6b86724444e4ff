// The launches of stl/gpu/kernels.def, each defined in the .cu of its family, and the table of them.
#pragma once

#include "stl/gpu/kernel_table.h"

namespace stl::gpu::cuda {

#define STL_KERNEL(name, Task) void name(const Task& task, Stream stream);
#include "stl/gpu/kernels.def"
#undef STL_KERNEL

/// `runtime`: what differs between where they run; its launches are filled in.
constexpr KernelTable with_launches(KernelTable runtime) {
#define STL_KERNEL(name, Task) runtime.name = name;
#include "stl/gpu/kernels.def"
#undef STL_KERNEL
    return runtime;
}

}  // namespace stl::gpu::cuda
