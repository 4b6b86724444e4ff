// What the library has to say while it works. It prints nothing itself: the program decides where this goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace stl {

/// One state of a long piece of work.
struct Progress {
    std::int64_t done = 0;
    std::int64_t total = 0;  ///< 0: not known
    std::string what;        ///< "epoch 3/200", "sequences"
    std::string detail;      ///< "loss 0.0123  lr 4.0e-04  12.3 seq/s"; may be empty
};

/// The silent one. The program's own (tools/console.h) draws a bar, or plain lines where there is no
/// terminal.
class Reporter {
  public:
    virtual ~Reporter() = default;
    virtual void info(const std::string& /*line*/) {}
    virtual void warn(const std::string& /*line*/) {}
    /// May be called often: whoever draws it decides how often it shows.
    virtual void progress(const Progress& /*state*/) {}
    /// Ends the current bar (its last state stays readable).
    virtual void progress_end() {}
};

/// Asked between steps of long work; true: stop at the next good place.
using StopRequested = std::function<bool()>;

}  // namespace stl
