// Where the time goes: named spans of work, as a table and as a Chrome trace (chrome://tracing, Perfetto).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/clock.h"

namespace stl::inference {

struct Span {
    std::string name;
    double start = 0;  ///< seconds from the trace's start
    double seconds = 0;
    std::int64_t macs = 0;  ///< multiply-adds of the span's products; 0: none, or not counted
    int level = 0;          ///< 0: outermost
};

class Trace {
  public:
    const std::vector<Span>& spans() const { return spans_; }

    /// Records a span from its construction to its destruction; does nothing if `trace` is null.
    class Timed {
      public:
        Timed(Trace* trace, std::string_view name, std::int64_t macs = 0);
        ~Timed();
        Timed(const Timed&) = delete;
        Timed& operator=(const Timed&) = delete;

      private:
        Trace* trace_;
        std::size_t index_ = 0;
    };

  private:
    double now() const { return seconds_since(start_); }

    Clock::time_point start_ = Clock::now();
    std::vector<Span> spans_;
    int level_ = 0;
};

}  // namespace stl::inference
