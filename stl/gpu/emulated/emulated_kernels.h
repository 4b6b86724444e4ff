// The table of libstl_cuda.so with its kernels run on the CPU (grid.h), for tensors there. It is slow and for
// tests alone: the program does not link it.
#pragma once

#include "stl/gpu/kernel_table.h"

namespace stl::gpu {

const KernelTable& emulated_kernels();

}  // namespace stl::gpu
