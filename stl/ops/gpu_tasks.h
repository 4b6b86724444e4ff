// Shared by the operations on a GPU: the kernels for the backward pass, partial sums, mixed precision.
#pragma once

#include <ATen/autocast_mode.h>

#include "stl/gpu/kernel_table.h"
#include "stl/gpu/tensors.h"
#include "stl/runtime/autograd_function.h"
#include "stl/runtime/torch.h"

namespace stl::ops {

using torch::Tensor;
using torch::autograd::AutogradContext;
using Gradients = torch::autograd::variable_list;

/// Saves the kernels that an operation used, for its backward pass.
inline void keep_kernels(AutogradContext* context, const gpu::KernelTable& kernels) {
    context->saved_data["kernels"] = reinterpret_cast<std::int64_t>(&kernels);
}
inline const gpu::KernelTable& kept_kernels(AutogradContext* context) {
    return *reinterpret_cast<const gpu::KernelTable*>(context->saved_data["kernels"].toInt());
}

inline bool mixed_precision(const Tensor& x) {
    return at::autocast::is_autocast_enabled(x.device().type());
}

/// Number of parts into which a kernel divides each image's pixels, or rows, for sums over each channel.
inline int pixel_parts(const gpu::KernelTable& kernels, gpu::Index pictures, gpu::Index channels,
                       gpu::Index pixels) {
    constexpr gpu::Index channels_of_block = 128;
    return kernels.parts(pictures * ((channels + channels_of_block - 1) / channels_of_block), pixels);
}

}  // namespace stl::ops
