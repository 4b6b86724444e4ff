#include "stl/glyphs/cubic.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace stl {
namespace {

constexpr int weight_bits = 11;

/// What one place of the new axis takes of the old one.
struct Taps {
    std::array<std::int64_t, 4> from{};
    std::array<std::int32_t, 4> weight{};  ///< sum 1 << weight_bits
};

std::array<float, 4> weights_at(float x) {
    constexpr float a = -0.75F;
    const auto near = [](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    const auto far = [](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    std::array<float, 4> w{far(x + 1), near(x), near(1 - x), 0};
    w[3] = 1 - w[0] - w[1] - w[2];
    return w;
}

std::vector<Taps> taps(std::int64_t side, std::int64_t to) {
    std::vector<Taps> all(static_cast<std::size_t>(to));
    const double scale = static_cast<double>(side) / static_cast<double>(to);
    for (std::int64_t i = 0; auto& one : all) {
        const auto place = static_cast<float>((static_cast<double>(i++) + 0.5) * scale - 0.5);
        const auto floor = std::floor(place);
        const auto weights = weights_at(place - floor);
        for (std::size_t k = 0; k < 4; ++k) {
            const auto from = static_cast<std::int64_t>(floor) + static_cast<std::int64_t>(k) - 1;
            one.from[k] = std::clamp<std::int64_t>(from, 0, side - 1);
            one.weight[k] = static_cast<std::int32_t>(std::lrint(weights[k] * (1 << weight_bits)));
        }
    }
    return all;
}

void scale_plane(const std::uint8_t* plane, std::int64_t side, const std::vector<Taps>& axis,
                 std::uint8_t* out) {
    const auto to = axis.size();
    std::vector<std::int32_t> rows(static_cast<std::size_t>(side) * to);  // scaled across
    for (std::int64_t y = 0; y < side; ++y) {
        for (std::size_t x = 0; x < to; ++x) {
            std::int32_t sum = 0;
            for (std::size_t k = 0; k < 4; ++k) sum += plane[y * side + axis[x].from[k]] * axis[x].weight[k];
            rows[static_cast<std::size_t>(y) * to + x] = sum;
        }
    }
    // Single precision and a half to the even number from here, as OpenCV's vector code.
    constexpr float unit = 1.0F / (1 << 2 * weight_bits);
    for (const auto& down : axis) {
        for (std::size_t x = 0; x < to; ++x) {
            float sum = 0;
            for (std::size_t k = 4; k-- > 0;) {
                const auto value = rows[static_cast<std::size_t>(down.from[k]) * to + x];
                sum += static_cast<float>(value) * (static_cast<float>(down.weight[k]) * unit);
            }
            *out++ = static_cast<std::uint8_t>(std::clamp(std::lrint(sum), 0L, 255L));
        }
    }
}

}  // namespace

std::vector<std::uint8_t> scale_cubic(std::span<const std::uint8_t> planes, std::int64_t side,
                                      std::int64_t to) {
    const auto axis = taps(side, to);
    const auto count = std::ssize(planes) / (side * side);
    std::vector<std::uint8_t> out(static_cast<std::size_t>(count * to * to));
    for (std::int64_t i = 0; i < count; ++i)
        scale_plane(planes.data() + i * side * side, side, axis, out.data() + i * to * to);
    return out;
}

}  // namespace stl
