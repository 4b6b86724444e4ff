#include "stl/import/clips.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace stl {

bool SceneCuts::begins(std::span<const std::uint8_t> frame) {
    if (last_.size() != frame.size()) {
        last_.assign(frame.begin(), frame.end());
        last_difference_ = 0;
        return false;
    }
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < frame.size(); ++i) sum += std::abs(int{frame[i]} - int{last_[i]});
    std::copy(frame.begin(), frame.end(), last_.begin());
    const double difference = static_cast<double>(sum) / static_cast<double>(frame.size());
    const double score = std::min(difference, std::abs(difference - last_difference_)) / 100;
    last_difference_ = difference;
    return score > threshold_;
}

Windows::Windows(std::int64_t length, std::int64_t stride, std::function<void(Bytes)> emit)
    : length_(length), stride_(stride), emit_(std::move(emit)) {}

void Windows::add(std::span<const std::byte> frame) {
    if (skip_ > 0) {
        --skip_;
        return;
    }
    frames_.emplace_back(frame.begin(), frame.end());
    if (static_cast<std::int64_t>(frames_.size()) < length_) return;
    Bytes window;
    window.reserve(frames_.size() * frame.size());
    for (const auto& f : frames_) window.insert(window.end(), f.begin(), f.end());
    emit_(std::move(window));
    const std::int64_t drop = std::min(stride_, length_);
    frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(drop));
    skip_ = stride_ - drop;
}

void Windows::break_here() {
    frames_.clear();
    skip_ = 0;
}

}  // namespace stl
