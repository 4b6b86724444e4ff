// From tensors to what kernels take: pointers, types, and memory laid out channels last.
#pragma once

#include <cstdint>

#include "stl/gpu/portable.h"
#include "stl/runtime/torch.h"

namespace stl::gpu {

/// Error unless float32, bfloat16 or float16.
Type type_of(const torch::Tensor& x);

/// [B,C,H,W] in the order [B,H,W,C], at an address that packs can be read from; a copy where x is not so.
torch::Tensor channels_last(const torch::Tensor& x);
/// The same, but pixels may lie further apart than C elements: slices of channels stay where they are.
torch::Tensor pixels_apart(const torch::Tensor& x);
/// Elements from a pixel of pixels_apart() to the next.
std::int64_t pitch_of(const torch::Tensor& x);

/// Contiguous float32, at an address that packs can be read from.
torch::Tensor as_floats(const torch::Tensor& x);
/// Uninitialised, on x's device: float32, or of x's type and channels last.
torch::Tensor floats(const torch::Tensor& x, c10::IntArrayRef sizes);
torch::Tensor empty_channels_last(const torch::Tensor& x, c10::IntArrayRef sizes);

}  // namespace stl::gpu
