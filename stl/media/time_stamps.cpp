#include "stl/media/time_stamps.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stl {
namespace {

/// Rates nearer than this are the same: 29.97 and 30, but not 24 and 25.
constexpr double same_rate = 0.02;
/// Frames that are on average further from the rate's step than this share of it are uneven.
constexpr double most_off = 0.1;
constexpr std::size_t fewest_steps = 3;  // fewer say nothing

}  // namespace

void TimeStamps::add(std::optional<double> time) {
    if (!time) {
        ++without_stamp_;
        return;
    }
    const int frames = 1 + std::exchange(without_stamp_, 0);
    const double step = last_ ? *time - *last_ : 0;
    last_ = time;
    if (step > 0)
        steps_.insert(steps_.end(), static_cast<std::size_t>(frames), static_cast<float>(step / frames));
}

TimeStamps::Usual TimeStamps::usual() const {
    std::vector<float> sorted = steps_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    double sum = 0;
    std::size_t count = 0;
    for (const float step : steps_) {
        if (step < 0.5F * *middle || step > 1.5F * *middle) continue;
        sum += step;
        ++count;
    }
    return {sum / static_cast<double>(count), count};
}

bool TimeStamps::agree_with(double fps) const {
    if (steps_.size() < fewest_steps) return true;
    if (!(fps > 0)) return false;
    const auto [step, count] = usual();
    return std::abs(step - 1 / fps) <= std::max(same_rate / fps, tick_ / static_cast<double>(count));
}

double TimeStamps::rate(double last_duration) const {
    double time = last_duration;
    for (const float step : steps_) time += step;
    const auto frames = static_cast<double>(steps_.size()) + (last_duration > 0 ? 1 : 0);
    return time > 0 ? frames / time : 0;
}

void Evenness::add(double time, bool continues) {
    const double step = last_ && continues ? time - *last_ : 0;
    last_ = time;
    if (!(step > 0)) return;
    shortest_ = steps_ == 0 ? step : std::min(shortest_, step);
    longest_ = std::max(longest_, step);
    ++steps_;
    total_ += step;
    off_ += std::max(std::abs(step - expected_) - tick_, 0.0);
}

Timing Evenness::timing() const {
    if (!(expected_ > 0) || steps_ < static_cast<std::int64_t>(fewest_steps)) return {};
    const auto steps = static_cast<double>(steps_);
    return {off_ > most_off * expected_ * steps, shortest_, longest_};
}

}  // namespace stl
