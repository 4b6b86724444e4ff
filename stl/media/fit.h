// Which part of a picture is shown where, when it comes into a size of another shape.
#pragma once

#include <string>

namespace stl {

/// Distorted; its middle alone; whole, with black borders.
enum class Fit { stretch, crop, pad };
/// Error naming the three.
Fit parse_fit(const std::string& name);
const char* fit_name(Fit fit);

struct FitPlan {
    double top = 0, left = 0, bottom = 0, right = 0;  ///< the part of the source that is used
    int height = 0, width = 0;                        ///< what it becomes, centred in the result
};

/// `pixel_aspect`: width to height of one source pixel.
FitPlan plan_fit(Fit fit, int source_height, int source_width, double pixel_aspect, int height, int width);

}  // namespace stl
