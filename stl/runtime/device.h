// Devices. The program links libtorch_cpu alone; libtorch_cuda is opened here, when a GPU is asked for and
// there.
#pragma once

#include <string>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl {

/// "cpu", "cuda", "cuda:1", or "auto" (a GPU where one can be used, else the CPU).
/// Error: "cuda: no NVIDIA GPU on this machine", "cuda:3: this machine has 1 GPU", ...
torch::Device open_device(const std::string& name);

struct GpuInfo {
    std::string name;
    std::uint64_t memory = 0;  ///< bytes
    std::uint64_t free = 0;    ///< bytes, as far as the driver says
    std::string driver;
};
/// What the driver reports, without opening libtorch_cuda. Empty where there is no driver or no GPU.
std::vector<GpuInfo> list_gpus();

/// Sets the threads of one operation; 0: as many as the machine has cores (at most what OMP_NUM_THREADS
/// says).
void set_threads(int threads);

/// One line for an out-of-memory error of LibTorch, null-string for any other: used by main's edge and the
/// commands that can suggest a batch size.
bool is_out_of_memory(const std::exception& error);

}  // namespace stl
