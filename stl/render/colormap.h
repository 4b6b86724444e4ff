// A colour map for errors: from near black over violet, red and orange to pale yellow, in equal steps of
// perceived lightness.
//
// Source: computed in Oklab (Ottosson, "A perceptual color space for image processing", 2020): lightness
// rises linearly while the hue turns.
#pragma once

#include <array>

#include "stl/render/theme.h"

namespace stl {

/// t in [0,1], clamped; NaN shows as white.
Color heat_color(float t);

/// Perceived lightness in [0,1].
float perceived_lightness(Color color);

}  // namespace stl
