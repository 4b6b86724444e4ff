#include "stl/render/tiles.h"

#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/render/colormap.h"

namespace stl {
namespace {

std::uint8_t brightness(float value, const Brightness& range) {
    const float unit = (value - range.low) / (range.high - range.low);
    return std::isnan(unit) ? std::uint8_t{0}
                            : static_cast<std::uint8_t>(std::clamp(unit, 0.0F, 1.0F) * 255 + 0.5F);
}

void require_frame(std::span<const float> frame, const SequenceShape& shape) {
    if (std::ssize(frame) != shape.frame_elements())
        fail("a frame of {} values, expected {}", frame.size(), shape.frame_elements());
}

}  // namespace

Image frame_tile(std::span<const float> frame, const SequenceShape& shape, const Brightness& range) {
    require_frame(frame, shape);
    const auto plane = static_cast<std::size_t>(shape.height * shape.width);
    const bool rgb = shape.channels == 3;
    Image tile(static_cast<int>(shape.height), static_cast<int>(shape.width), 3);
    const std::size_t only =
        shape.channels == 1
            ? 0
            : static_cast<std::size_t>(std::clamp<std::int64_t>(range.channel, 0, shape.channels - 1));
    for (std::size_t i = 0; i < plane; ++i) {
        for (std::size_t c = 0; c < 3; ++c) {
            tile.pixels[3 * i + c] = brightness(frame[(rgb ? c : only) * plane + i], range);
        }
    }
    return tile;
}

Image error_tile(std::span<const float> a, std::span<const float> b, const SequenceShape& shape,
                 const Brightness& range, float top) {
    require_frame(a, shape);
    require_frame(b, shape);
    const auto plane = static_cast<std::size_t>(shape.height * shape.width);
    const float unit = 1 / ((range.high - range.low) * top * static_cast<float>(shape.channels));
    Image tile(static_cast<int>(shape.height), static_cast<int>(shape.width), 3);
    for (std::size_t i = 0; i < plane; ++i) {
        float sum = 0;
        for (std::size_t k = i; k < a.size(); k += plane) sum += std::abs(a[k] - b[k]);
        const Color color = heat_color(sum * unit);
        tile.pixels[3 * i] = color.r;
        tile.pixels[3 * i + 1] = color.g;
        tile.pixels[3 * i + 2] = color.b;
    }
    return tile;
}

void ErrorScale::add(std::span<const float> a, std::span<const float> b, const Brightness& range) {
    const float unit = 1000 / (range.high - range.low);
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const float error = std::abs(a[i] - b[i]) * unit;
        if (!(error >= 1)) continue;  // below a thousandth of the range, or NaN
        ++counts_[static_cast<std::size_t>(std::min(error, 1000.0F))];
    }
}

float ErrorScale::top() const {
    std::int64_t total = 0;
    for (const auto n : counts_) total += n;
    if (total == 0) return 1;
    std::int64_t seen = 0;
    std::size_t bin = 0;
    while (bin < 1000 && static_cast<double>(seen += counts_[bin]) < 0.995 * static_cast<double>(total))
        ++bin;
    const float wanted = static_cast<float>(bin + 1) / 1000;
    for (const float round : {0.01F, 0.02F, 0.05F, 0.1F, 0.2F, 0.5F}) {
        if (wanted <= round) return round;
    }
    return 1;
}

}  // namespace stl
