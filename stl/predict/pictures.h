// Between 8-bit pictures and tensors: a frame is [C,H,W] float32, black and white being the ends of a range.
#pragma once

#include "stl/core/value_range.h"
#include "stl/media/image.h"
#include "stl/runtime/torch.h"

namespace stl {

/// uint8 [...,H,W,C] -> float32 [...,C,H,W]
torch::Tensor to_values(const torch::Tensor& bytes, const ValueRange& range);
/// [...,C,H,W] -> uint8 [...,H,W,C] on the CPU. Values are clipped to the range and rounded.
torch::Tensor to_bytes(const torch::Tensor& values, const ValueRange& range);

/// [C,H,W]
torch::Tensor to_tensor(const Image& image, const ValueRange& range = {});
/// Of a picture in its own depth the numbers that it stores, whatever the range.
torch::Tensor to_tensor(const Picture& picture, const ValueRange& range);
/// Values are clipped to the range and rounded. Error unless there are 1 or 3 channels.
Image to_image(const torch::Tensor& frame, const ValueRange& range = {});
/// The values of black and white become 0 and 1.
torch::Tensor to_unit(const torch::Tensor& values, const ValueRange& range);

}  // namespace stl
