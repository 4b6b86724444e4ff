// Devices. The program links libtorch_cpu alone; libtorch_cuda is opened here, when a GPU is asked for and
// there.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "stl/core/reporter.h"
#include "stl/runtime/torch.h"

namespace stl {

/// "cpu", "cuda", "cuda:1", or "auto" (a GPU where one can be used, else the CPU; where there is one that
/// cannot be used, `reporter` is warned and told why).
/// Error: "cuda: no NVIDIA GPU on this machine", "cuda:3: this machine has 1 GPU", ...
torch::Device open_device(const std::string& name, Reporter& reporter);
/// Tells nobody.
torch::Device open_device(const std::string& name);

struct GpuInfo {
    std::string name;
    std::uint64_t memory = 0;  ///< bytes
    std::uint64_t free = 0;    ///< bytes, as far as the driver says
    std::string driver;
};
/// What the driver reports, without opening libtorch_cuda. Empty where there is no driver or no GPU.
std::vector<GpuInfo> list_gpus();
/// Whether the LibTorch in use came with libtorch_cuda, of the file alone.
bool has_cuda_library();

/// Sets the threads of one operation, in the whole process: for a program to call, or training. 0: what OMP_NUM_THREADS
/// says, or as many as the machine has cores. Error: as check_threads.
void set_threads(int threads);
/// Error: negative; so many more than cores that they would only wait for each other; more than can be started.
void check_threads(int threads);

/// The threads of operations that the calling thread starts, in a scope. 0: as many as before.
class ThreadScope {
  public:
    explicit ThreadScope(int threads);
    ~ThreadScope();
    ThreadScope(const ThreadScope&) = delete;
    ThreadScope& operator=(const ThreadScope&) = delete;

  private:
    int before_ = 0;  ///< 0: nothing was changed
};

/// Whether memory ran out, on the CPU or a GPU: those who catch it can suggest a smaller batch.
bool is_out_of_memory(const std::exception& error);

/// Half of `batch`, again and again, until `attempt` finds memory enough for it; 0 if not even 1 does.
std::int64_t fitting_batch(std::int64_t batch, const std::function<void(std::int64_t size)>& attempt);

}  // namespace stl
