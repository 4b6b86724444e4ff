// Cuts a stream of frames into sequences of equal length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

namespace stl {

/// Where a film cuts: the mean absolute difference d to the frame before (of 255) jumps.
///
/// score = min(d, |d - d of the frame before|) / 100, as in FFmpeg's `scene` (libavfilter, f_select); a score
/// over the threshold (0.3 or so) is a cut.
class SceneCuts {
  public:
    explicit SceneCuts(double threshold) : threshold_(threshold) {}
    /// Values 0-255. True if a new scene begins with this frame.
    bool begins(std::span<const std::uint8_t> frame);
    void reset() { last_.clear(); }

  private:
    double threshold_;
    double last_difference_ = 0;
    std::vector<std::uint8_t> last_;
};

/// Windows of `length` frames, one every `stride`; none runs over a break.
class Windows {
  public:
    using Bytes = std::vector<std::byte>;
    /// `emit` gets each window, its frames one after the other.
    Windows(std::int64_t length, std::int64_t stride, std::function<void(Bytes)> emit);
    void add(std::span<const std::byte> frame);
    /// The next frame does not continue the last one.
    void break_here();

  private:
    std::int64_t length_, stride_;
    std::function<void(Bytes)> emit_;
    std::deque<Bytes> frames_;
    std::int64_t skip_ = 0;  ///< frames to come before the next window's first
};

}  // namespace stl
