// Which source, or which part of every source, goes to training, validation and test.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "stl/import/import.h"

namespace stl {

class SplitPlan {
  public:
    /// Error: values that are not shares, or too few sources for them.
    SplitPlan(const ImportOptions& options, std::size_t sources);

    /// True where every source is cut, its beginning for training.
    bool by_time() const { return by_ == SplitBy::time; }
    /// Whether a source that gives about so many sequences is cut: where nobody asked for it, each part has to hold one.
    bool cuts(double sequences) const;
    /// By time: of the part at `position` in [0,1) of any source.
    Split at(double position) const;
    /// By source: one for each of those that gave sequences; empty where sequences are not to be marked.
    /// Error: too few of them for the shares.
    std::vector<Split> deal(std::size_t sources) const;
    /// A line where sequences of `length` frames came out in other shares than those wanted: a part is empty, or more
    /// than a tenth of all (and more than one sequence) too large or too small. Else empty.
    std::string shortfall(const std::array<std::int64_t, 3>& sequences, std::int64_t length) const;
    /// Whether so many sequences are not marked at all: nobody asked for splits, and all are in one.
    bool leaves_unmarked(const std::array<std::int64_t, 3>& sequences) const;
    /// {"by": "time", "train": 0.8, ...}, for the file.
    Json to_json() const;

  private:
    void check(std::size_t sources) const;

    SplitBy by_;
    bool asked_for_;  ///< shares were given
    bool usual_;      ///< nobody chose what is divided
    double train_, val_, test_;
    std::uint64_t seed_;
};

}  // namespace stl
