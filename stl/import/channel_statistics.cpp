#include "stl/import/channel_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace stl {
namespace {

std::size_t plane_elements(const SequenceShape& shape) {
    return static_cast<std::size_t>(shape.height * shape.width);
}

}  // namespace

ChannelStatistics::ChannelStatistics(const SequenceShape& shape, DType dtype)
    : shape_(shape), dtype_(dtype), channels_(static_cast<std::size_t>(shape.channels)) {}

void ChannelStatistics::add(std::span<const std::byte> row) {
    const std::size_t plane = plane_elements(shape_) * dtype_size(dtype_);
    const std::byte* at = row.data();
    for (std::int64_t t = 0; t < shape_.frames; ++t) {
        for (auto& sums : channels_) {
            if (dtype_ == DType::u8)
                add_bytes(sums, at);
            else
                add_floats(sums, at);
            at += plane;
        }
    }
}

void ChannelStatistics::add(const ChannelStatistics& other) {
    for (std::size_t c = 0; c < channels_.size(); ++c) {
        channels_[c].sum += other.channels_[c].sum;
        channels_[c].squares += other.channels_[c].squares;
        channels_[c].count += other.channels_[c].count;
        channels_[c].lowest = std::min(channels_[c].lowest, other.channels_[c].lowest);
        channels_[c].highest = std::max(channels_[c].highest, other.channels_[c].highest);
    }
}

/// Whole numbers, so exact: a plane's squares fit in 64 bits.
void ChannelStatistics::add_bytes(Sums& sums, const std::byte* plane) const {
    const auto* values = reinterpret_cast<const std::uint8_t*>(plane);
    const std::size_t n = plane_elements(shape_);
    std::uint64_t sum = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint32_t v = values[i];
        sum += v;
        squares += v * v;
    }
    sums.sum += static_cast<double>(sum) / 255;
    sums.squares += static_cast<double>(squares) / (255.0 * 255.0);
    sums.count += static_cast<std::int64_t>(n);
}

void ChannelStatistics::add_floats(Sums& sums, const std::byte* plane) const {
    const std::size_t n = plane_elements(shape_);
    for (std::size_t i = 0; i < n; ++i) {
        float value = 0;
        std::memcpy(&value, plane + i * sizeof(float), sizeof(float));
        if (!std::isfinite(value)) continue;
        sums.sum += value;
        sums.squares += double{value} * value;
        ++sums.count;
        sums.lowest = std::min(sums.lowest, value);
        sums.highest = std::max(sums.highest, value);
    }
}

std::optional<ValueRange> ChannelStatistics::values() const {
    ValueRange range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    for (const auto& sums : channels_) {
        range.low = std::min<double>(range.low, sums.lowest);
        range.high = std::max<double>(range.high, sums.highest);
    }
    if (range.low > range.high) return std::nullopt;
    return range;
}

Json ChannelStatistics::value() const {
    Json mean = Json::array(), deviation = Json::array();
    for (const auto& sums : channels_) {
        if (sums.count == 0) return nullptr;
        const auto n = static_cast<double>(sums.count);
        const double m = sums.sum / n;
        mean.push_back(m);
        deviation.push_back(std::sqrt(std::max(0.0, sums.squares / n - m * m)));
    }
    return {{"mean", mean}, {"std", deviation}};
}

}  // namespace stl
