// The library's messages and progress. It prints nothing itself: the program decides where they go.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace stl {

/// One state of a long piece of work.
struct Progress {
    std::int64_t done = 0;   ///< need not start at 0: a resumed run continues where it stopped
    std::int64_t total = 0;  ///< 0: unknown
    std::string what;        ///< title of the bar: "training", "sequences"; a new title starts a new bar
    std::string detail;      ///< "loss 0.0123  lr 4.0e-04  12.3 seq/s"; may be empty
};

/// Estimates how many seconds the rest will take at the pace from `first` to `now`, which took `seconds`; nullopt if
/// there is nothing to estimate from.
inline std::optional<double> seconds_left(const Progress& first, const Progress& now, double seconds) {
    if (now.done <= first.done || now.done >= now.total) return std::nullopt;
    return seconds / static_cast<double>(now.done - first.done) * static_cast<double>(now.total - now.done);
}

/// Discards everything. The program's own (tools/stl/console.h) draws a bar or, without a terminal, prints plain
/// lines.
class Reporter {
  public:
    virtual ~Reporter() = default;
    virtual void info(const std::string& /*line*/) {}
    virtual void warn(const std::string& /*line*/) {}
    /// May be called often; the implementation decides how often to display it.
    virtual void progress(const Progress& /*state*/) {}
    /// Ends the current bar.
    virtual void progress_end() {}
};

/// Called between steps of long work; true: stop as soon as possible in a consistent state.
using StopRequested = std::function<bool()>;

}  // namespace stl
