// Pictures as the reference's loaders see them: resized by the samplings of the Python libraries that it uses
// (which differ from stl/media/resize.h: they do not average over the area that a pixel covers).
#pragma once

#include <cstdint>
#include <vector>

#include "stl/core/file.h"
#include "stl/media/image.h"
#include "stl/media/resize.h"

namespace stl {

/// OpenCV's INTER_LINEAR along an axis: between the two nearest samples, whatever the scale.
AxisTaps linear_taps(int size, int out);
/// OpenCV's INTER_CUBIC: four samples, a = -0.75, edges repeated.
AxisTaps cubic_taps(int size, int out);
/// scikit-image's resize of order 1 with anti-aliasing: a Gaussian of deviation (size / out - 1) / 2, cut at
/// four deviations, mirrored at the edges; then linear.
AxisTaps smooth_taps(int size, int out);

/// [C,H,W], rounded and clamped to 0-255. `blue_first` turns the order of three channels around.
std::vector<std::uint8_t> planes_of(const Image& image, const AxisTaps& vertical, const AxisTaps& horizontal,
                                    bool blue_first = false);
/// The same without resizing.
std::vector<std::uint8_t> planes_of(const Image& image, bool blue_first = false);

/// One picture file in its own size. Error: not there, no picture, damaged.
Image read_picture(const fs::path& path, int channels);

}  // namespace stl
