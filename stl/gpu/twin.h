// The kernels' twin: the same table, filled with plain loops over the same arithmetic, for tensors on a CPU.
// It is slow and for tests alone: what it computes is what a GPU computes, but for the order of sums.
#pragma once

#include "stl/gpu/kernels.h"

namespace stl::gpu {

const Kernels& twin_kernels();

}  // namespace stl::gpu
