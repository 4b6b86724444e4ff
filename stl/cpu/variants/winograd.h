// Winograd's F(4x4, 3x3) transforms, one vector of channels of one tile at a time.
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/pairs.h"
#include "stl/cpu/variants/runs.h"

namespace stl::cpu::STL_VARIANT {

// The points are 0, p, -p, q, -q and infinity with p = 1/sqrt(2), q = sqrt(2); so p*q = 1 and p^2 = 1/2, q^2
// = 2.
inline constexpr float point_p = 0.70710678F, point_q = 1.41421356F;

/// Six inputs in a line to their values at the six points.
inline void to_points(const Vec (&d)[6], Vec (&out)[6]) {
    const Vec p = splat(point_p), q = splat(point_q), two = splat(2.0F), half = splat(0.5F),
              middle = splat(2.5F);
    const Vec even_p = d[4] - two * d[2], odd_p = p * d[3] - q * d[1];
    const Vec even_q = d[4] - half * d[2], odd_q = q * d[3] - p * d[1];
    out[0] = d[0] - middle * d[2] + d[4];
    out[1] = even_p + odd_p;
    out[2] = even_p - odd_p;
    out[3] = even_q + odd_q;
    out[4] = even_q - odd_q;
    out[5] = d[1] - middle * d[3] + d[5];
}

/// Values at six points to four outputs.
inline void from_points(const Vec (&m)[6], Vec (&out)[4]) {
    const Vec p = splat(point_p), q = splat(point_q);
    const Vec sum_p = m[1] + m[2], difference_p = m[1] - m[2];
    const Vec sum_q = m[3] + m[4], difference_q = m[3] - m[4];
    out[0] = m[0] + sum_p + sum_q;
    out[1] = p * difference_p + q * difference_q;
    out[2] = splat(0.5F) * sum_p + splat(2.0F) * sum_q;
    out[3] = splat(0.5F * point_p) * difference_p + splat(2.0F * point_q) * difference_q + m[5];
}

/// The transpose of from_points.
inline void back_to_points(const Vec (&g)[4], Vec (&out)[6]) {
    const Vec p = splat(point_p), q = splat(point_q), two = splat(2.0F), half = splat(0.5F);
    const Vec even_p = g[0] + half * g[2], odd_p = p * (g[1] + half * g[3]);
    const Vec even_q = g[0] + two * g[2], odd_q = q * (g[1] + two * g[3]);
    out[0] = g[0];
    out[1] = even_p + odd_p;
    out[2] = even_p - odd_p;
    out[3] = even_q + odd_q;
    out[4] = even_q - odd_q;
    out[5] = g[3];
}

template <Type P, class T>
void winograd_input_in(const WinogradInput& w) {
    for (int tile = 0; tile < w.tiles; ++tile) {
        const T* in = static_cast<const T*>(w.in) + tile * winograd_tile * w.pixel;
        float* out = w.out + static_cast<Index>(tile) * words_of(P, w.columns);
        for (int c = 0; c < w.columns; c += lanes) {
            Vec half[6][6];  // [point][x]
            for (int x = 0; x < 6; ++x) {
                Vec column[6], points[6];
                for (int y = 0; y < 6; ++y) column[y] = load(in + y * w.line + x * w.pixel + c);
                to_points(column, points);
                for (int y = 0; y < 6; ++y) half[y][x] = points[y];
            }
            for (int y = 0; y < 6; ++y) {
                Vec points[6];
                to_points(half[y], points);
                for (int x = 0; x < 6; ++x) {
                    float* to = out + (y * 6 + x) * w.point_stride + words_of(P, c);
                    P == Type::bfloat16 ? store_pairs(to, points[x]) : store(to, points[x]);
                }
            }
        }
    }
}

void winograd_input(const WinogradInput& w) {
    with_type_of(w.stored, [&](auto type) {
        using T = decltype(type);
        w.precision == Type::bfloat16 ? winograd_input_in<Type::bfloat16, T>(w)
                                      : winograd_input_in<Type::float32, T>(w);
    });
}

template <class T>
void winograd_output_in(const WinogradOutput& w) {
    for (int tile = 0; tile < w.tiles; ++tile) {
        const int left = tile * winograd_tile;
        const int columns = w.width - left < 4 ? w.width - left : 4, lines = w.height < 4 ? w.height : 4;
        const float* in = w.in + static_cast<Index>(tile) * w.columns;
        for (int c = 0; c < w.columns; c += lanes) {
            const Vec bias = w.bias ? load(w.bias + c) : Vec{};
            Vec half[4][6];
            for (int x = 0; x < 6; ++x) {
                Vec points[6], values[4];
                for (int y = 0; y < 6; ++y) points[y] = load(in + (y * 6 + x) * w.point_stride + c);
                from_points(points, values);
                for (int y = 0; y < 4; ++y) half[y][x] = values[y];
            }
            for (int y = 0; y < lines; ++y) {
                Vec values[4];
                from_points(half[y], values);
                T* out = static_cast<T*>(w.out) + y * w.out_line + left * w.out_pixel + c;
                for (int x = 0; x < columns; ++x) store(out + x * w.out_pixel, values[x] + bias);
            }
        }
    }
}

void winograd_output(const WinogradOutput& w) {
    with_type_of(w.stored, [&](auto type) { winograd_output_in<decltype(type)>(w); });
}

template <class T>
void winograd_output_gradient_in(const WinogradOutputGradient& w) {
    for (int tile = 0; tile < w.tiles; ++tile) {
        const int left = tile * winograd_tile;
        const T* in = static_cast<const T*>(w.in) + left * w.pixel;
        float* out = w.out + static_cast<Index>(tile) * w.columns;
        for (int c = 0; c < w.columns; c += lanes) {
            Vec half[6][4];  // [point][x]
            for (int x = 0; x < 4; ++x) {
                Vec column[4], points[6];
                for (int y = 0; y < 4; ++y) {
                    const bool inside = left + x < w.width && y < w.height;
                    column[y] = inside ? load(in + y * w.line + x * w.pixel + c) : Vec{};
                }
                back_to_points(column, points);
                for (int y = 0; y < 6; ++y) half[y][x] = points[y];
            }
            for (int y = 0; y < 6; ++y) {
                Vec points[6];
                back_to_points(half[y], points);
                for (int x = 0; x < 6; ++x) store(out + (y * 6 + x) * w.point_stride + c, points[x]);
            }
        }
    }
}

void winograd_output_gradient(const WinogradOutputGradient& w) {
    with_type_of(w.stored, [&](auto type) { winograd_output_gradient_in<decltype(type)>(w); });
}

}  // namespace stl::cpu::STL_VARIANT
