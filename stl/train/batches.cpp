#include "stl/train/batches.h"

namespace stl {

TrainBatch split_batch(const Batch& batch, const SequenceShape& shape, std::int64_t input_frames,
                       torch::Device device) {
    const auto buffer = batch.values;
    auto all = torch::from_blob(
        buffer.get(), {batch.size, shape.frames, shape.channels, shape.height, shape.width},
        [buffer](void*) {}, torch::kFloat32);
    if (!device.is_cpu()) all = all.to(device, /*non_blocking=*/true);
    return {all.narrow(1, 0, input_frames), all.narrow(1, input_frames, shape.frames - input_frames)};
}

std::function<std::shared_ptr<float[]>(std::int64_t)> batch_allocator(torch::Device device) {
    if (!device.is_cuda()) return {};
    return [](std::int64_t elements) {
        const auto memory = torch::empty({elements}, torch::TensorOptions().pinned_memory(true));
        return std::shared_ptr<float[]>(memory.data_ptr<float>(), [memory](float*) {});
    };
}

}  // namespace stl
