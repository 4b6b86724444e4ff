#include "stl/import/splits.h"

#include <cmath>
#include <numeric>

#include "stl/core/error.h"
#include "stl/core/random.h"

namespace stl {
namespace {

/// At least one source for a share that is wanted.
std::size_t sources_for(double share, std::size_t sources) {
    return share > 0 ? std::max<std::size_t>(
                           1, static_cast<std::size_t>(std::lround(share * static_cast<double>(sources))))
                     : 0;
}

}  // namespace

SplitPlan::SplitPlan(const ImportOptions& o, std::size_t sources) : by_(o.split_by) {
    const bool given = o.train || o.val || o.test;
    if (!given && by_ == SplitBy::source && sources < 3) return;
    active_ = true;
    val_ = given ? o.val.value_or(0) : 0.1;
    test_ = given ? o.test.value_or(0) : 0.1;
    train_ = o.train.value_or(1 - val_ - test_);
    if (train_ < -1e-9 || val_ < 0 || test_ < 0 || std::abs(train_ + val_ + test_ - 1) > 1e-6) {
        fail("shares of training {}, validation {} and test {} do not add up to 1", train_, val_, test_);
    }
    if (by_ == SplitBy::source) deal(sources, o.seed);
}

void SplitPlan::deal(std::size_t sources, std::uint64_t seed) {
    const std::size_t val = sources_for(val_, sources), test = sources_for(test_, sources);
    const bool training = train_ > 1e-9;
    if (val + test + (training ? 1 : 0) > sources) {
        fail(
            "{} source{} can't be divided into shares of {:g}, {:g} and {:g}; --split-by time cuts every "
            "source instead",
            sources, sources == 1 ? "" : "s", train_, val_, test_);
    }
    std::vector<std::size_t> order(sources);
    std::iota(order.begin(), order.end(), std::size_t{0});
    StreamRandom random(seed, 0);
    for (std::size_t i = sources; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    by_source_.assign(sources, training ? Split::train : Split::test);
    for (std::size_t i = 0; i < val; ++i) by_source_[order[i]] = Split::validation;
    for (std::size_t i = val; i < val + test; ++i) by_source_[order[i]] = Split::test;
}

Split SplitPlan::of(std::size_t source, double position) const {
    if (!active_) return Split::train;
    if (by_ == SplitBy::source) return by_source_[source];
    if (position < train_) return Split::train;
    return position < train_ + val_ || test_ <= 0 ? Split::validation : Split::test;
}

}  // namespace stl
