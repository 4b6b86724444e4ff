#include "stl/import/splits.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/random.h"

namespace stl {
namespace {

constexpr std::size_t enough_sources = 3;  // for splits that nobody asked for
constexpr double usual_share = 0.1;

/// At least one source for a share that is wanted.
std::size_t sources_for(double share, std::size_t sources) {
    if (share <= 1e-9) return 0;
    return std::max<std::size_t>(1,
                                 static_cast<std::size_t>(std::lround(share * static_cast<double>(sources))));
}

/// What `train` leaves to a share that was not given, if anything.
double left_by(const std::optional<double>& train, const std::optional<double>& other) {
    if (!train) return 0;
    const double rest = 1 - *train - other.value_or(0);
    return other ? rest : rest / 2;
}

}  // namespace

SplitPlan::SplitPlan(const ImportOptions& o, std::size_t sources)
    : by_(o.split_by),
      asked_for_(o.train || o.val || o.test),
      usual_(o.split_by == SplitBy::usual),
      seed_(o.seed) {
    if (usual_) by_ = asked_for_ || sources >= enough_sources ? SplitBy::source : SplitBy::time;
    val_ = asked_for_ ? o.val.value_or(left_by(o.train, o.test)) : usual_share;
    test_ = asked_for_ ? o.test.value_or(left_by(o.train, o.val)) : usual_share;
    train_ = o.train.value_or(1 - val_ - test_);
    if (train_ < -1e-9 || val_ < -1e-9 || test_ < -1e-9 || std::abs(train_ + val_ + test_ - 1) > 1e-6) {
        fail("shares of training {:g}, validation {:g} and test {:g} do not add up to 1", train_, val_,
             test_);
    }
    if (by_ == SplitBy::source && asked_for_) check(sources);
}

void SplitPlan::check(std::size_t sources) const {
    if (sources_for(val_, sources) + sources_for(test_, sources) + (train_ > 1e-9 ? 1 : 0) <= sources) return;
    fail(
        "{} can't be divided into shares of {:g}, {:g} and {:g}; --split-by time cuts every source "
        "instead",
        counted(static_cast<std::int64_t>(sources), "source"), train_, val_, test_);
}

std::vector<Split> SplitPlan::deal(std::size_t sources) const {
    if (!asked_for_ && sources < enough_sources) return {};
    check(sources);
    const std::size_t val = sources_for(val_, sources), test = sources_for(test_, sources);
    std::vector<std::size_t> order(sources);
    std::iota(order.begin(), order.end(), std::size_t{0});
    StreamRandom random(seed_, 0);
    for (std::size_t i = sources; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    std::vector<Split> dealt(sources, train_ > 1e-9 ? Split::train : Split::test);
    for (std::size_t i = 0; i < val; ++i) dealt[order[i]] = Split::validation;
    for (std::size_t i = val; i < val + test; ++i) dealt[order[i]] = Split::test;
    return dealt;
}

std::string SplitPlan::shortfall(const std::array<std::int64_t, 3>& sequences, std::int64_t length) const {
    const std::array wanted{train_, val_, test_};
    const auto all = std::accumulate(sequences.begin(), sequences.end(), std::int64_t{0});
    bool empty = false, far = false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double expected = wanted[i] * static_cast<double>(all);
        empty = empty || (wanted[i] > 1e-9 && sequences[i] == 0);
        far = far || std::abs(static_cast<double>(sequences[i]) - expected) >
                         std::max(1.0, 0.1 * static_cast<double>(all));
    }
    if (!empty && !(far && asked_for_)) return "";
    const std::string reason =
        by_ == SplitBy::time
            ? fmt::format(
                  "each part of a source has to hold {} frames; a smaller --length or --stride, longer "
                  "sources or "
                  "other shares help",
                  length)
            : "all sequences of a source are in one part; more sources, other shares or --split-by time help";
    return fmt::format(
        "{} for training, {} for validation and {} for test, expected shares of {:g}, {:g} and {:g}: {}",
        counted(sequences[0], "sequence"), sequences[1], sequences[2], train_, val_, test_, reason);
}

bool SplitPlan::cuts(double sequences) const {
    return by_time() && (!usual_ || sequences * usual_share >= 1);
}

bool SplitPlan::leaves_unmarked(const std::array<std::int64_t, 3>& sequences) const {
    const auto all = std::accumulate(sequences.begin(), sequences.end(), std::int64_t{0});
    return usual_ && !asked_for_ && by_time() && std::ranges::find(sequences, all) != sequences.end();
}

Json SplitPlan::to_json() const {
    return {{"by", by_time() ? "time" : "source"},
            {"train", train_},
            {"validation", val_},
            {"test", test_},
            {"seed", seed_}};
}

Split SplitPlan::at(double position) const {
    constexpr double rounding = 1e-9;  // of positions: 4.8 s of 6 s are 0.8 of it
    if (position < train_ - rounding) return Split::train;
    return position < train_ + val_ - rounding || test_ <= rounding ? Split::validation : Split::test;
}

}  // namespace stl
