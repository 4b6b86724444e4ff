// What the time stamps of a video's frames say: how many frames a second, and whether they are evenly spaced.
// Used by the sources of this folder alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "stl/media/video_reader.h"

namespace stl {

/// Time stamps of frames in the order in which they are decoded.
class TimeStamps {
  public:
    /// The unit of the stamps, in seconds: steps are as exact as that.
    explicit TimeStamps(double tick) : tick_(tick) {}
    /// A frame, in seconds; empty: it has no stamp of its own. A step back is a clock that was set anew.
    void add(std::optional<double> time);

    /// Whether so many frames a second fit the usual step; true where there are too few steps to tell.
    bool agree_with(double fps) const;
    /// Frames over time; 0: not known. `last_duration`: for how long the last frame shows; 0: not known.
    double rate(double last_duration = 0) const;

  private:
    struct Usual {
        double step;
        std::size_t count;  ///< of the steps that are like it
    };
    /// The mean of the steps that are about as long as the median: neither pauses nor whole ticks disturb it.
    Usual usual() const;

    double tick_;
    std::optional<double> last_;
    int without_stamp_ = 0;
    std::vector<float> steps_;
};

/// How evenly frames follow each other, seen from the rate that is reported for them.
class Evenness {
  public:
    /// `tick`: as for TimeStamps.
    explicit Evenness(double fps = 0, double tick = 0) : expected_(fps > 0 ? 1 / fps : 0), tick_(tick) {}
    /// A frame; `continues`: nothing is missing before it.
    void add(double time, bool continues);
    Timing timing() const;

  private:
    double expected_, tick_;
    std::optional<double> last_;
    std::int64_t steps_ = 0;
    double total_ = 0, off_ = 0, shortest_ = 0, longest_ = 0;
};

}  // namespace stl
