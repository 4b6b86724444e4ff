// Training batches of moving glyphs, generated on the device that trains on them (stl/gpu/moving_glyphs.h): the
// glyphs are kept there, and nothing is copied from the host.
//
// They have the same distribution as the host's sequences, but different random numbers. Sequence `index` of an epoch
// depends only on the run's seed, so that a resumed run continues with the same data.
#pragma once

#include <cstdint>
#include <memory>

#include "stl/data/dataset.h"
#include "stl/glyphs/moving_scene.h"
#include "stl/gpu/kernel_table.h"
#include "stl/runtime/torch.h"

namespace stl {

class DeviceGlyphs {
  public:
    /// Null if `data` is not a training set of moving glyphs, if it has background pictures or noise, which the kernel
    /// cannot generate, or if `kernels` (the device's) is null.
    static std::unique_ptr<DeviceGlyphs> make(const Dataset& data, torch::Device device,
                                              const gpu::KernelTable* kernels);

    /// `scene` must have no background pictures and no noise.
    DeviceGlyphs(const MovingScene& scene, std::uint64_t seed, torch::Device device,
                 const gpu::KernelTable& kernels);

    /// Sequences `first` to `first + size - 1` of an epoch: [size,T,1,S,S] float32, 0 to 1.
    torch::Tensor sequences(std::int64_t epoch, std::int64_t first, std::int64_t size) const;

  private:
    MovingGlyphOptions options_;
    std::uint64_t seed_;
    const gpu::KernelTable& kernels_;
    torch::Tensor glyphs_;  ///< [count,height,width] uint8
};

}  // namespace stl
