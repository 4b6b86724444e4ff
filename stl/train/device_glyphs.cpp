#include "stl/train/device_glyphs.h"

#include "stl/data/sets/moving.h"
#include "stl/gpu/moving_glyphs.h"
#include "stl/gpu/tensors.h"

namespace stl {
namespace {

/// What the kernel makes: glyphs over black, without any noise.
bool is_plain(const MovingScene& scene) {
    const auto& o = scene.options();
    return scene.pictures() == nullptr && o.noise == 0 && o.input_noise.type == InputNoise::Type::none &&
           o.digits <= gpu::most_digits;
}

}  // namespace

std::unique_ptr<DeviceGlyphs> DeviceGlyphs::make(const Dataset& data, torch::Device device,
                                                 const gpu::KernelTable* kernels) {
    const auto* glyphs = dynamic_cast<const MadeFromGlyphs*>(&data);
    if (glyphs == nullptr || !is_plain(glyphs->scene()) || kernels == nullptr) return nullptr;
    return std::make_unique<DeviceGlyphs>(glyphs->scene(), glyphs->seed(), device, *kernels);
}

DeviceGlyphs::DeviceGlyphs(const MovingScene& scene, std::uint64_t seed, torch::Device device,
                           const gpu::KernelTable& kernels)
    : options_(scene.options()), seed_(seed), kernels_(kernels) {
    const auto& glyphs = scene.glyphs();
    glyphs_ = torch::empty({glyphs.count, glyphs.height, glyphs.width}, torch::kUInt8);
    std::copy(glyphs.pixels.begin(), glyphs.pixels.end(), glyphs_.data_ptr<std::uint8_t>());
    glyphs_ = glyphs_.to(device);
}

torch::Tensor DeviceGlyphs::sequences(std::int64_t epoch, std::int64_t first, std::int64_t size) const {
    const auto out = gpu::floats(glyphs_, {size, options_.frames, 1, options_.canvas, options_.canvas});
    gpu::GlyphTask t;
    t.glyphs = glyphs_.const_data_ptr<std::uint8_t>();
    t.count = glyphs_.size(0);
    t.height = static_cast<int>(glyphs_.size(1));
    t.width = static_cast<int>(glyphs_.size(2));
    t.batch = static_cast<int>(size);
    t.frames = static_cast<int>(options_.frames);
    t.canvas = static_cast<int>(options_.canvas);
    t.digits = static_cast<int>(options_.digits);
    t.step = options_.step;
    t.seed = seed_;
    t.first = (static_cast<std::uint64_t>(epoch) << 32) + static_cast<std::uint64_t>(first);
    t.out = out.mutable_data_ptr<float>();
    kernels_.moving_glyphs(t, kernels_.current_stream());
    return out;
}

}  // namespace stl
