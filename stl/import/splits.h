// Which source, or which part of every source, goes to training, validation and test.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stl/import/import.h"

namespace stl {

class SplitPlan {
  public:
    /// Error: shares that are no shares, or too few sources for them.
    SplitPlan(const ImportOptions& options, std::size_t sources);

    /// False: sequences are not marked.
    bool active() const { return active_; }
    SplitBy by() const { return by_; }
    /// Of a source as a whole (by source), or of the part at `position` in [0,1) of it (by time).
    Split of(std::size_t source, double position) const;

  private:
    void deal(std::size_t sources, std::uint64_t seed);

    bool active_ = false;
    SplitBy by_ = SplitBy::source;
    double train_ = 0, val_ = 0, test_ = 0;
    std::vector<Split> by_source_;
};

}  // namespace stl
