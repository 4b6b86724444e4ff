// Between 8-bit pictures and tensors: a frame is [C,H,W] float32 in [0,1].
#pragma once

#include "stl/media/image.h"
#include "stl/runtime/torch.h"

namespace stl {

/// [C,H,W]; the values are divided by 255.
torch::Tensor to_tensor(const Image& image);
/// Values are clipped to [0,1] and rounded. Error unless there are 1 or 3 channels.
Image to_image(const torch::Tensor& frame);

}  // namespace stl
