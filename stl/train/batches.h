// From loader batches to tensors on the device.
#pragma once

#include <torch/torch.h>

#include <functional>

#include "stl/data/loader.h"
#include "stl/train/step.h"

namespace stl {

/// [B,T+T',C,H,W] values as input (the first `input_frames`) and target (the rest), without a copy on the
/// CPU. The tensors keep the batch's buffer alive.
TrainBatch split_batch(const Batch& batch, const SequenceShape& shape, std::int64_t input_frames,
                       torch::Device device);

/// LoaderOptions::allocate for a device: pinned memory where copies to it gain from that, else null.
std::function<std::shared_ptr<float[]>(std::int64_t)> batch_allocator(torch::Device device);

}  // namespace stl
