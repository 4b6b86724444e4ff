// Between stored colour (YUV of some matrix and range, at some depth) and RGB, in float.
//
// Source: ITU-R BT.601-7, BT.709-6, BT.2020-2: Y = Kr R + Kg G + Kb B, Cb = (B - Y) / (2 (1 - Kb)),
// Cr = (R - Y) / (2 (1 - Kr)).
#pragma once

namespace stl {

/// Luma weights of red and blue; green has the rest.
struct ColorMatrix {
    float kr, kb;
};
constexpr ColorMatrix bt601{0.299F, 0.114F};
constexpr ColorMatrix bt709{0.2126F, 0.0722F};
constexpr ColorMatrix bt2020{0.2627F, 0.0593F};

/// BT.601's, of values as they are.
inline float luma(float red, float green, float blue) {
    return 0.299F * red + 0.587F * green + 0.114F * blue;
}

/// Stored code values to Y in [0,1] and Cb, Cr in [-0.5, 0.5], all of them times `white`: y = (code - y_zero) * y_scale, and so on.
struct CodeRange {
    float y_zero, y_scale, c_zero, c_scale;
};

/// Studio range (16-235 and 16-240 at 8 bits) or full range, at `depth` bits. white: what white becomes.
constexpr CodeRange code_range(bool full, int depth, float white) {
    const float unit = static_cast<float>(1U << static_cast<unsigned>(depth - 8));
    const float top = static_cast<float>((1U << static_cast<unsigned>(depth)) - 1U);
    if (full) return {0, white / top, 128 * unit, white / top};
    return {16 * unit, white / (219 * unit), 128 * unit, white / (224 * unit)};
}

struct Rgb {
    float r, g, b;
};

/// y in [0,1], cb and cr in [-0.5,0.5]; the result may leave [0,1].
constexpr Rgb to_rgb(float y, float cb, float cr, const ColorMatrix& m) {
    const float r = y + 2 * (1 - m.kr) * cr;
    const float b = y + 2 * (1 - m.kb) * cb;
    return {r, (y - m.kr * r - m.kb * b) / (1 - m.kr - m.kb), b};
}

struct Ycc {
    float y, cb, cr;
};

constexpr Ycc to_ycc(const Rgb& c, const ColorMatrix& m) {
    const float y = m.kr * c.r + (1 - m.kr - m.kb) * c.g + m.kb * c.b;
    return {y, (c.b - y) / (2 * (1 - m.kb)), (c.r - y) / (2 * (1 - m.kr))};
}

}  // namespace stl
