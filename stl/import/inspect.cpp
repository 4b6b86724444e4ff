#include "stl/import/inspect.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl {
namespace {

/// Sums over the rows so far.
struct Sums {
    double sum = 0, squares = 0, motion = 0;
    double minimum = std::numeric_limits<double>::infinity(), maximum = -minimum;
    std::int64_t values = 0, steps = 0, frames = 0, still = 0, non_finite = 0;

    void add_value(float value) {
        if (!std::isfinite(value)) {
            ++non_finite;
            return;
        }
        const double v = value;
        sum += v;
        squares += v * v;
        minimum = std::min(minimum, v);
        maximum = std::max(maximum, v);
        ++values;
    }

    void add_step(std::span<const float> before, std::span<const float> after) {
        ++frames;
        if (std::equal(before.begin(), before.end(), after.begin())) ++still;
        for (std::size_t i = 0; i < after.size(); ++i) {
            const double d = std::abs(double{after[i]} - before[i]);
            if (!std::isfinite(d)) continue;
            motion += d;
            ++steps;
        }
    }
};

}  // namespace

SequenceStatistics measure(const SequenceReader& reader, std::int64_t rows, Reporter& reporter,
                           const StopRequested& stop) {
    const SequenceInfo& info = reader.info();
    const std::int64_t count = std::min(rows, info.count);
    const auto frame = static_cast<std::size_t>(info.shape.frame_elements());
    require_memory(static_cast<std::uint64_t>(info.shape.elements()) * sizeof(float), "statistics");
    std::vector<float> values(static_cast<std::size_t>(info.shape.elements()));
    Sums sums;
    for (std::int64_t i = 0; i < count; ++i) {
        if (stop && stop()) throw Interrupted("inspect: interrupted");
        reader.read(i * info.count / count, 1, values);
        for (const float v : values) sums.add_value(v);
        const std::span<const float> all(values);
        for (std::size_t at = frame; at + frame <= values.size(); at += frame) {
            sums.add_step(all.subspan(at - frame, frame), all.subspan(at, frame));
        }
        reporter.progress({i + 1, count, "rows", ""});
    }
    reporter.progress_end();
    SequenceStatistics s;
    s.rows = count;
    s.non_finite = sums.non_finite;
    if (sums.values > 0) {
        const auto n = static_cast<double>(sums.values);
        s.mean = sums.sum / n;
        s.deviation = std::sqrt(std::max(0.0, sums.squares / n - s.mean * s.mean));
        s.minimum = sums.minimum;
        s.maximum = sums.maximum;
    }
    if (sums.steps > 0) s.motion = sums.motion / static_cast<double>(sums.steps);
    if (sums.frames > 0) s.still = static_cast<double>(sums.still) / static_cast<double>(sums.frames);
    return s;
}

std::array<std::int64_t, 3> count_splits(const SequenceReader& reader) {
    std::array<std::int64_t, 3> counts{};
    for (const auto split : {Split::train, Split::validation, Split::test}) {
        counts[static_cast<std::size_t>(split)] = std::ssize(reader.rows(split));
    }
    // Without marks every row serves training and test, and none validation.
    if (counts[0] == reader.info().count && counts[2] == reader.info().count) return {};
    return counts;
}

}  // namespace stl
