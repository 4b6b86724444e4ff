#include "stl/metrics/errors.h"

#include <cmath>

#include "stl/metrics/metrics.h"

namespace stl {
namespace {

using SumPlace = std::int64_t (FrameSums::*)(std::int64_t group) const;

std::vector<double> error(const MeasuredFrames& frames, SumPlace place) {
    const FrameSums at{frames.sum_options.groups};
    const double divisor = frames.options.spatial_norm ? frames.group_values() : 1.0;
    std::vector<double> errors;
    for (std::int64_t i = 0; i < frames.count(); ++i) {
        for (std::int64_t g = 0; g < at.groups; ++g)
            errors.push_back(frames.sums_of(i)[static_cast<std::size_t>((at.*place)(g))] / divisor);
    }
    return errors;
}

}  // namespace

std::vector<double> squared_error(const MeasuredFrames& frames) {
    return error(frames, &FrameSums::squared);
}

std::vector<double> absolute_error(const MeasuredFrames& frames) {
    return error(frames, &FrameSums::absolute);
}

double root(double mean) {
    return std::sqrt(mean);
}

}  // namespace stl
