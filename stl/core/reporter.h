// What the library has to say while it works. It prints nothing itself: the program decides where this goes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace stl {

/// One state of a long piece of work.
struct Progress {
    std::int64_t done = 0;   ///< need not start at 0: a resumed run goes on where it stopped
    std::int64_t total = 0;  ///< 0: not known
    std::string what;        ///< "training", "sequences"; another one starts another bar
    std::string detail;      ///< "loss 0.0123  lr 4.0e-04  12.3 seq/s"; may be empty
};

/// How long the rest will take at the pace from `first` to `now`, which took `seconds`; nothing where that
/// cannot be told.
inline std::optional<double> seconds_left(const Progress& first, const Progress& now, double seconds) {
    if (now.done <= first.done || now.done >= now.total) return std::nullopt;
    return seconds / static_cast<double>(now.done - first.done) * static_cast<double>(now.total - now.done);
}

/// The silent one. The program's own (tools/stl/console.h) draws a bar, or plain lines where there is no
/// terminal.
class Reporter {
  public:
    virtual ~Reporter() = default;
    virtual void info(const std::string& /*line*/) {}
    virtual void warn(const std::string& /*line*/) {}
    /// May be called often: whoever draws it decides how often it shows.
    virtual void progress(const Progress& /*state*/) {}
    /// Ends the current bar.
    virtual void progress_end() {}
};

/// Asked between steps of long work; true: stop at the next good place.
using StopRequested = std::function<bool()>;

}  // namespace stl
