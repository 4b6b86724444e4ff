// Moving glyphs made where the network trains: the law of stl/glyphs/moving_glyphs.h, the random numbers
// Philox's. Sequence `number` of a seed is the same whichever batch it is in.
#pragma once

#include "stl/gpu/philox.h"

namespace stl::gpu {

struct GlyphTask {
    const std::uint8_t* glyphs = nullptr;  ///< [count,height,width]
    Index count = 0;
    int height = 0, width = 0;
    int batch = 0, frames = 0, canvas = 0, digits = 0;
    double step = 0;
    std::uint64_t seed = 0;
    std::uint64_t first = 0;  ///< number of the batch's first sequence
    float* out = nullptr;     ///< [batch,frames,1,canvas,canvas], 0 to 1
};

/// Glyphs of a sequence that a GPU's block keeps in its memory.
inline constexpr int most_digits = 256;

struct GlyphStart {
    double x, y, direction;  ///< x, y: of the free way
    Index glyph;
};

STL_BOTH GlyphStart glyph_start(const GlyphTask& t, std::uint64_t number, int digit) {
    constexpr double full_turn = 6.283185307179586476925;
    const auto low = static_cast<std::uint32_t>(number), high = static_cast<std::uint32_t>(number >> 32);
    const auto place = philox(t.seed, {{low, high, static_cast<std::uint32_t>(digit), 0}});
    const auto rest = philox(t.seed, {{low, high, static_cast<std::uint32_t>(digit), 1}});
    const auto glyph = static_cast<Index>(uniform(rest.v[2], rest.v[3]) * static_cast<double>(t.count));
    return {uniform(place.v[0], place.v[1]), uniform(place.v[2], place.v[3]),
            uniform(rest.v[0], rest.v[1]) * full_turn, glyph < t.count ? glyph : t.count - 1};
}

/// One coordinate in units of the free way; it stops at an edge and turns back there.
struct GlyphCoordinate {
    double place, velocity, sign = 1;

    STL_BOTH void advance(double step) {
        place += sign * velocity * step;
        if (place <= 0) {
            place = 0;
            sign = -sign;
        }
        if (place >= 1) {
            place = 1;
            sign = -sign;
        }
    }
};

struct GlyphWalk {
    GlyphCoordinate across, down;

    STL_BOTH explicit GlyphWalk(const GlyphStart& start)
        : across{start.x, cos(start.direction)}, down{start.y, sin(start.direction)} {}
    STL_BOTH void advance(double step) {
        down.advance(step);
        across.advance(step);
    }
};

/// Where a glyph's corner is in a frame.
struct GlyphCorner {
    Index glyph;
    int y, x;
};

STL_BOTH GlyphCorner glyph_corner(const GlyphTask& t, const GlyphStart& start, const GlyphWalk& walk) {
    return {start.glyph, static_cast<int>(static_cast<double>(t.canvas - t.height) * walk.down.place),
            static_cast<int>(static_cast<double>(t.canvas - t.width) * walk.across.place)};
}

/// The step comes before the first frame.
STL_BOTH GlyphCorner glyph_corner(const GlyphTask& t, std::uint64_t number, int digit, int frame) {
    const auto start = glyph_start(t, number, digit);
    GlyphWalk walk(start);
    for (int i = 0; i <= frame; ++i) walk.advance(t.step);
    return glyph_corner(t, start, walk);
}

/// The largest of the glyphs over a pixel, 0 to 1.
STL_BOTH float glyph_pixel(const GlyphTask& t, const GlyphCorner* corners, int pixel) {
    const int y = pixel / t.canvas, x = pixel % t.canvas;
    int value = 0;
    for (int i = 0; i < t.digits; ++i) {
        const int row = y - corners[i].y, column = x - corners[i].x;
        if (row < 0 || row >= t.height || column < 0 || column >= t.width) continue;
        const int here = t.glyphs[(corners[i].glyph * t.height + row) * t.width + column];
        value = here > value ? here : value;
    }
    return static_cast<float>(value) / 255.0F;
}

}  // namespace stl::gpu
