#include "stl/import/value_sample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace stl {

void ValueSample::add(std::span<const std::byte> values) {
    constexpr std::size_t most = std::size_t{1} << 20U;
    const auto size = dtype_size(dtype_), count = values.size() / size;
    std::size_t i = skip_;
    for (; i < count; i += step_) {
        float value = 0;
        if (dtype_ == DType::u8) {
            value = static_cast<float>(std::to_integer<int>(values[i]));
        } else {
            std::memcpy(&value, values.data() + i * size, sizeof value);
        }
        if (!std::isfinite(value)) continue;
        kept_.push_back(value);
        if (kept_.size() < most) continue;
        // Full: every second one, and from here on half as many.
        for (std::size_t k = 0; k < most / 2; ++k) kept_[k] = kept_[2 * k];
        kept_.resize(most / 2);
        step_ *= 2;
    }
    skip_ = i - count;
}

std::optional<ValueRange> ValueSample::range(double share) const {
    if (kept_.empty()) return std::nullopt;
    auto sorted = kept_;
    std::ranges::sort(sorted);
    const auto last = static_cast<double>(sorted.size() - 1);
    const auto at = [&](double part) {
        return double{sorted[static_cast<std::size_t>(std::llround(part * last))]};
    };
    const ValueRange found{at(share), at(1 - share)};
    return found.low < found.high ? std::optional(found) : std::nullopt;
}

}  // namespace stl
