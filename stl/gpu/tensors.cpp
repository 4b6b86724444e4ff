#include "stl/gpu/tensors.h"

#include "stl/core/error.h"

namespace stl::gpu {
namespace {

constexpr std::uintptr_t alignment = 16;  // of the widest pack

bool is_aligned(const torch::Tensor& x) {
    return reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % alignment == 0;
}

}  // namespace

Type type_of(const torch::Tensor& x) {
    if (x.scalar_type() == torch::kFloat32) return Type::float32;
    if (x.scalar_type() == torch::kBFloat16) return Type::bfloat16;
    if (x.scalar_type() == torch::kFloat16) return Type::float16;
    fail("GPU kernels: a tensor of {}, expected Float, BFloat16 or Half", c10::toString(x.scalar_type()));
}

torch::Tensor channels_last(const torch::Tensor& x) {
    const auto y = x.contiguous(torch::MemoryFormat::ChannelsLast);
    return is_aligned(y) ? y : y.clone(torch::MemoryFormat::ChannelsLast);
}

torch::Tensor pixels_apart(const torch::Tensor& x) {
    const auto pitch = x.stride(3), rows = pitch * x.size(3);
    const bool sliced =
        x.stride(1) == 1 && pitch >= x.size(1) && x.stride(2) == rows && x.stride(0) == rows * x.size(2);
    const auto step = static_cast<std::uintptr_t>(pitch) * x.element_size();
    return sliced && is_aligned(x) && step % alignment == 0 ? x : channels_last(x);
}

std::int64_t pitch_of(const torch::Tensor& x) {
    // Strides along a side of one pixel mean nothing.
    if (x.size(3) > 1) return x.stride(3);
    return x.size(2) > 1 ? x.stride(2) : x.size(1);
}

torch::Tensor as_floats(const torch::Tensor& x) {
    const auto y = x.to(torch::kFloat32).contiguous();
    return is_aligned(y) ? y : y.clone();
}

torch::Tensor floats(const torch::Tensor& x, c10::IntArrayRef sizes) {
    return torch::empty(sizes, x.options().dtype(torch::kFloat32));
}

torch::Tensor empty_channels_last(const torch::Tensor& x, c10::IntArrayRef sizes) {
    return torch::empty(sizes, x.options().memory_format(torch::MemoryFormat::ChannelsLast));
}

}  // namespace stl::gpu
