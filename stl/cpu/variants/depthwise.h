// Depthwise convolution and the pooling difference, one vector of channels at a time over the whole picture.
//
// The picture is first copied to a scratch plane with zeros left and right, so that no tap needs to look
// where it is; taps above and below the picture are skipped.
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/simd.h"

namespace stl::cpu::STL_VARIANT {

inline constexpr int depthwise_tile = 8;  ///< outputs at a time, in registers

inline int depthwise_line(int width, int kernel, int dilation) {
    const int tiles = (width + depthwise_tile - 1) / depthwise_tile;
    return tiles * depthwise_tile + dilation * (kernel - 1);
}

inline void copy_plane(const Depthwise& d, int column, int border, int line, float* plane) {
    const int right = line - border - d.width;
    for (int y = 0; y < d.height; ++y) {
        float* to = plane + static_cast<Index>(y) * line * lanes;
        const float* from = d.in + static_cast<Index>(y) * d.width * d.in_row + column;
        for (int x = 0; x < border; ++x) store(to + x * lanes, Vec{});
        to += border * lanes;
        for (int x = 0; x < d.width; ++x) store(to + x * lanes, load(from + x * d.in_row));
        to += d.width * lanes;
        for (int x = 0; x < right; ++x) store(to + x * lanes, Vec{});
    }
}

/// Outputs of a tile of pixels from x on of line y, of taps that lie next to each other: a line's inputs are loaded
/// once for all of its taps.
template <int Kernel>
inline void dense_outputs(const Depthwise& d, int column, int line, const float* plane, int y, int x,
                          Vec (&sums)[depthwise_tile]) {
    for (int dy = 0; dy < Kernel; ++dy) {
        const int from = y + dy - Kernel / 2;
        if (from < 0 || from >= d.height) continue;
        const float* in = plane + (static_cast<Index>(from) * line + x) * lanes;
        const float* w = d.w + static_cast<Index>(dy) * Kernel * d.w_row + column;
        Vec values[depthwise_tile + Kernel - 1];
#pragma GCC unroll 32
        for (int i = 0; i < depthwise_tile + Kernel - 1; ++i) values[i] = load(in + i * lanes);
#pragma GCC unroll 32
        for (int dx = 0; dx < Kernel; ++dx) {
            const Vec weight = load(w + dx * d.w_row);
#pragma GCC unroll 8
            for (int i = 0; i < depthwise_tile; ++i) sums[i] += weight * values[i + dx];
        }
    }
}

/// The same for any dilation. Kernel: 0 for any.
template <int Kernel>
inline void spread_outputs(const Depthwise& d, int column, int line, const float* plane, int y, int x,
                           Vec (&sums)[depthwise_tile]) {
    const int kernel = Kernel ? Kernel : d.kernel;
    for (int dy = 0; dy < kernel; ++dy) {
        const int from = y + (dy - kernel / 2) * d.dilation;
        if (from < 0 || from >= d.height) continue;
        const float* in = plane + (static_cast<Index>(from) * line + x) * lanes;
        const float* w = d.w + static_cast<Index>(dy) * kernel * d.w_row + column;
        for (int dx = 0; dx < kernel; ++dx, w += d.w_row, in += d.dilation * lanes) {
            const Vec weight = load(w);
#pragma GCC unroll 8
            for (int i = 0; i < depthwise_tile; ++i) sums[i] += weight * load(in + i * lanes);
        }
    }
}

/// outputs: one of the two above.
template <auto outputs>
inline void depthwise_plane(const Depthwise& d, int column, int line, const float* plane) {
    const Vec bias = d.bias ? load(d.bias + column) : Vec{};
    for (int y = 0; y < d.height; ++y) {
        for (int x = 0; x < d.width; x += depthwise_tile) {
            Vec sums[depthwise_tile];
            for (auto& value : sums) value = bias;
            outputs(d, column, line, plane, y, x, sums);
            const int count = d.width - x < depthwise_tile ? d.width - x : depthwise_tile;
            float* out = d.out + (static_cast<Index>(y) * d.width + x) * d.out_row + column;
            if (count == depthwise_tile) {
                for (int i = 0; i < depthwise_tile; ++i) store(out + i * d.out_row, sums[i]);
            } else {
                for (int i = 0; i < count; ++i) store(out + i * d.out_row, sums[i]);
            }
        }
    }
}

/// What computes the planes of a convolution.
inline auto plane_function(const Depthwise& d) {
    // With fewer registers the inputs of a line would not stay in them.
    constexpr bool many_registers = lanes == 16;
    if (many_registers && d.dilation == 1) {
        switch (d.kernel) {
            case 3:
                return depthwise_plane<dense_outputs<3>>;
            case 5:
                return depthwise_plane<dense_outputs<5>>;
            case 7:
                return depthwise_plane<dense_outputs<7>>;
            case 11:
                return depthwise_plane<dense_outputs<11>>;
            default:
                break;
        }
    }
    return d.kernel == 3 ? depthwise_plane<spread_outputs<3>> : depthwise_plane<spread_outputs<0>>;
}

void depthwise(const Depthwise& d) {
    const int line = depthwise_line(d.width, d.kernel, d.dilation);
    const auto compute = plane_function(d);
    for (int column = 0; column < d.columns; column += lanes) {
        copy_plane(d, column, d.dilation * (d.kernel / 2), line, d.scratch);
        compute(d, column, line, d.scratch);
    }
}

void pool_difference(const Depthwise& d) {
    const Index row = d.in_row, line = d.width * row;
    for (int y = 0; y < d.height; ++y) {
        const int top = y > 0 ? -1 : 0, bottom = y + 1 < d.height ? 1 : 0;
        for (int x = 0; x < d.width; ++x) {
            const int left = x > 0 ? -1 : 0, right = x + 1 < d.width ? 1 : 0;
            const Vec share = splat(1.0F / static_cast<float>((bottom - top + 1) * (right - left + 1)));
            const float* in = d.in + y * line + x * row;
            float* out = d.out + (static_cast<Index>(y) * d.width + x) * d.out_row;
            for (int c = 0; c < d.columns; c += lanes) {
                Vec total{};
                for (int dy = top; dy <= bottom; ++dy) {
                    for (int dx = left; dx <= right; ++dx) total += load(in + dy * line + dx * row + c);
                }
                store(out + c, total * share - load(in + c));
            }
        }
    }
}

}  // namespace stl::cpu::STL_VARIANT
