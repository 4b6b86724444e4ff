#include "stl/media/fit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "stl/core/names.h"

namespace stl {
namespace {

const std::array<std::string, 3> names{"stretch", "crop", "pad"};

}  // namespace

Fit parse_fit(const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) fail_unknown("", "fit", name, names);
    return static_cast<Fit>(found - names.begin());
}

const char* fit_name(Fit fit) {
    return names.at(static_cast<std::size_t>(fit)).c_str();
}

FitPlan plan_fit(Fit fit, int source_height, int source_width, double pixel_aspect, int height, int width) {
    FitPlan p{0, 0, double(source_height), double(source_width), height, width};
    // Over 1: the source is wider than what is wanted.
    const double wide = source_width * pixel_aspect / source_height * height / width;
    if (fit == Fit::crop && wide > 1) {
        p.left = (source_width - source_width / wide) / 2;
        p.right = source_width - p.left;
    } else if (fit == Fit::crop) {
        p.top = (source_height - source_height * wide) / 2;
        p.bottom = source_height - p.top;
    } else if (fit == Fit::pad && wide > 1) {
        p.height = std::max(1, static_cast<int>(std::lround(height / wide)));
    } else if (fit == Fit::pad) {
        p.width = std::max(1, static_cast<int>(std::lround(width * wide)));
    }
    return p;
}

}  // namespace stl
