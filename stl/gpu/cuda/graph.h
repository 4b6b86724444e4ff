// A captured graph on LibTorch's side stream, with a memory pool and random numbers of its own.
#pragma once

#include <memory>

#include "stl/gpu/kernel_table.h"

namespace stl::gpu::cuda {

std::unique_ptr<Graph> make_graph();

}  // namespace stl::gpu::cuda
