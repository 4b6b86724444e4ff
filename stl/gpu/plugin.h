// Finding and opening libstl_cuda.so, the kernels of our own. The program does not link it: a machine without
// CUDA builds and runs without, and ATen's operations do the work.
#pragma once

#include <string>

#include "stl/core/file.h"
#include "stl/gpu/kernel_table.h"
#include "stl/runtime/torch.h"

namespace stl::gpu {

/// Where the plugin lies: beside the program or the shared library that this code is part of, or where they are
/// installed, in lib/stl. Empty: not built or not installed.
fs::path plugin_file();

/// The kernels for tensors of this device: the plugin's on a GPU (opened at the first call, after libtorch_cuda); null
/// on a CPU and where the plugin cannot be opened.
const KernelTable* kernels_for(torch::Device device);
/// Why a GPU's tensors have no kernels of our own, in one line; empty where they have.
std::string why_no_kernels();

}  // namespace stl::gpu
