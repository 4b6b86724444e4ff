// A run's batches as tensors on the device: from a loader, or generated on the device.
#pragma once

#include <functional>
#include <memory>

#include "stl/data/loader.h"
#include "stl/gpu/kernel_table.h"
#include "stl/runtime/torch.h"
#include "stl/train/step.h"

namespace stl {

/// [B,T+T',C,H,W] values as input (the first `input_frames`) and target (the rest), without a copy on the
/// CPU. The tensors keep the batch's buffer alive.
TrainBatch split_batch(const Batch& batch, const SequenceShape& shape, std::int64_t input_frames,
                       torch::Device device);

/// LoaderOptions::allocate for a device: pinned memory if that speeds up copies to it, else null.
std::function<std::shared_ptr<float[]>(std::int64_t)> batch_allocator(torch::Device device);

/// LoaderOptions::threads for a device: one if the network itself uses the CPU's cores, half of the cores if it runs on
/// a GPU.
int loader_threads(torch::Device device);

/// An endless source of batches, epoch after epoch.
class BatchSource {
  public:
    virtual ~BatchSource() = default;
    virtual TrainBatch next() = 0;
    /// Whether the device generates them itself.
    virtual bool on_device() const { return false; }
};

struct BatchPlan {
    std::int64_t batch_size = 1;
    std::int64_t part = 0, parts = 1;  ///< as LoaderOptions'
    std::int64_t input_frames = 1;
    bool shuffle = true;  ///< applies to stored sequences
    std::uint64_t seed = 0;
    std::int64_t first_epoch = 0, first_batch = 0;
    torch::Device device = torch::kCPU;
    const gpu::KernelTable* kernels = nullptr;  ///< the device's; null where it has none
};
/// `data` must outlive the source.
std::unique_ptr<BatchSource> open_batches(const Dataset& data, const BatchPlan& plan);

}  // namespace stl
