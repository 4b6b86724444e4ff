#include "stl/train/batches.h"

#include <algorithm>

#include "stl/core/cores.h"
#include "stl/train/device_glyphs.h"

namespace stl {
namespace {

class LoadedBatches : public BatchSource {
  public:
    LoadedBatches(const Dataset& data, const BatchPlan& plan)
        : shape_(data.shape()),
          plan_(plan),
          loader_(data,
                  {.batch_size = plan.batch_size,
                   .shuffle = plan.shuffle && !data.generated(),
                   .drop_last = true,
                   .seed = plan.seed,
                   .threads = loader_threads(plan.device),
                   .part = plan.part,
                   .parts = plan.parts,
                   .allocate = batch_allocator(plan.device)},
                  plan.first_epoch, plan.first_batch) {}

    TrainBatch next() override {
        return split_batch(loader_.next(), shape_, plan_.input_frames, plan_.device);
    }

  private:
    SequenceShape shape_;
    BatchPlan plan_;
    Loader loader_;
};

class MadeBatches : public BatchSource {
  public:
    MadeBatches(std::unique_ptr<DeviceGlyphs> glyphs, const BatchPlan& plan, std::int64_t sequences)
        : glyphs_(std::move(glyphs)),
          plan_(plan),
          batches_(sequences / plan.batch_size),
          epoch_(plan.first_epoch),
          batch_(plan.first_batch) {}

    TrainBatch next() override {
        if (batch_ == batches_) {
            batch_ = 0;
            ++epoch_;
        }
        const auto size = plan_.batch_size / plan_.parts;
        const auto all = glyphs_->sequences(epoch_, batch_ * plan_.batch_size + plan_.part * size, size);
        ++batch_;
        return {all.narrow(1, 0, plan_.input_frames),
                all.narrow(1, plan_.input_frames, all.size(1) - plan_.input_frames)};
    }
    bool on_device() const override { return true; }

  private:
    std::unique_ptr<DeviceGlyphs> glyphs_;
    BatchPlan plan_;
    std::int64_t batches_, epoch_, batch_;
};

}  // namespace

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

int loader_threads(torch::Device device) {
    if (!device.is_cuda()) return 1;
    return std::max(1, available_cores() / 2);
}

std::unique_ptr<BatchSource> open_batches(const Dataset& data, const BatchPlan& plan) {
    if (auto glyphs = DeviceGlyphs::make(data, plan.device, plan.kernels))
        return std::make_unique<MadeBatches>(std::move(glyphs), plan, data.size());
    return std::make_unique<LoadedBatches>(data, plan);
}

}  // namespace stl
