#include "stl/predict/pictures.h"

#include <cstring>

#include "stl/core/error.h"

namespace stl {

torch::Tensor to_values(const torch::Tensor& bytes, const ValueRange& range) {
    auto values = bytes.movedim(-1, -3).to(torch::kFloat32).contiguous().div_(255.0F);
    return range.is_unit() ? values : values.mul_(range.width()).add_(range.low);
}

torch::Tensor to_bytes(const torch::Tensor& values, const ValueRange& range) {
    return to_unit(values.to(torch::kCPU, torch::kFloat32), range)
        .clamp(0, 1)
        .mul(255)
        .round()
        .to(torch::kUInt8)
        .movedim(-3, -1)
        .contiguous();
}

torch::Tensor to_tensor(const Image& image, const ValueRange& range) {
    return to_values(torch::from_blob(const_cast<std::uint8_t*>(image.pixels.data()),
                                      {image.height, image.width, image.channels}, torch::kUInt8),
                     range);
}

torch::Tensor to_tensor(const Picture& picture, const ValueRange& range) {
    const auto& deep = picture.deep;
    if (deep.empty()) return to_tensor(picture.image, range);
    const auto pixels = torch::from_blob(const_cast<float*>(deep.pixels.data()),
                                         {deep.height, deep.width, deep.channels}, torch::kFloat32);
    return pixels.permute({2, 0, 1}).contiguous();
}

Image to_image(const torch::Tensor& frame, const ValueRange& range) {
    const auto channels = frame.size(0);
    if (channels != 1 && channels != 3) fail("a picture has 1 or 3 channels, the frames have {}", channels);
    const auto bytes = to_bytes(frame, range);
    Image image(static_cast<int>(frame.size(1)), static_cast<int>(frame.size(2)), static_cast<int>(channels));
    std::memcpy(image.pixels.data(), bytes.data_ptr<std::uint8_t>(), image.pixels.size());
    return image;
}

torch::Tensor to_unit(const torch::Tensor& values, const ValueRange& range) {
    return range.is_unit() ? values : (values - range.low) / range.width();
}

}  // namespace stl
