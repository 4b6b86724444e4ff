// Separable resizing: area average where an axis shrinks, linear interpolation (pixel centres) where it
// grows.
//
// Sources are planes of 8- or 16-bit samples with any number of interleaved components; results are float in
// the source's units, so that colour conversion rounds only once, at the very end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stl/media/image.h"

namespace stl {

/// For each output position the first source position and the weights (which sum to 1) of those that follow.
struct AxisTaps {
    struct Tap {
        int first = 0;
        int count = 0;
        std::size_t weights = 0;  ///< index of the first in `values`
    };
    std::vector<Tap> taps;  ///< [out]
    std::vector<float> values;
};

/// The stretch [from, to) of an axis of `size` samples, shown in `out` samples.
AxisTaps make_taps(int size, double from, double to, int out);

/// Somebody's samples: `components` interleaved ones at each of height x width positions, row by row.
struct PlaneView {
    const std::uint8_t* data = nullptr;
    std::ptrdiff_t stride = 0;  ///< bytes from a row to the next; may be negative
    int height = 0;
    int width = 0;
    int components = 1;
    bool wide = false;  ///< 16-bit samples in the machine's byte order
};

/// Resizes all components of a plane: out is [vertical.taps.size(), horizontal.taps.size(), components].
/// `scratch` keeps its memory between calls.
void resize_plane(const PlaneView& plane, const AxisTaps& vertical, const AxisTaps& horizontal,
                  std::vector<float>& scratch, std::span<float> out);

/// The same for one plane [height, width] of floats.
void resize_floats(std::span<const float> plane, int width, const AxisTaps& vertical,
                   const AxisTaps& horizontal, std::vector<float>& scratch, std::span<float> out);

/// A whole picture, rounded to nearest.
Image resize(const Image& image, int height, int width);

}  // namespace stl
