// Depthwise convolution over channels-first planes: forward, and the gradients of input and filter.
//
// A plane is first copied to scratch with zeros left and right, so that a tap is one unaligned load; the rows
// for which a tap lies above or below the plane are left out of its loop.
#pragma once

#include <cstring>

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/simd.h"

namespace stl::cpu::STL_VARIANT {

inline constexpr int plane_tile = 4;  ///< output rows at a time, in registers

inline int padded_width(int width) {
    return (width + lanes - 1) / lanes * lanes;
}

/// Rows of `line` floats: `border` zeros, the row, zeros.
inline void copy_with_borders(const float* in, int height, int width, int border, int line, float* out) {
    for (int y = 0; y < height; ++y, in += width, out += line) {
        for (int x = 0; x < border; ++x) out[x] = 0;
        std::memcpy(out + border, in, sizeof(float) * static_cast<std::size_t>(width));
        for (int x = border + width; x < line; ++x) out[x] = 0;
    }
}

/// The output rows for which the tap row `dy` lies inside the plane.
struct RowRange {
    int begin, end, shift;
    RowRange(int dy, int half, int dilation, int height) : shift((dy - half) * dilation) {
        begin = shift < 0 ? -shift : 0;
        end = shift > 0 ? height - shift : height;
    }
};

/// out[i] += the filter's row over in[i], for Rows rows of one vector each.
template <int Rows>
inline void add_filter_row(const float* in, int line, const float* w, Index w_step, int kernel, int dilation,
                           float* out, int out_line) {
    Vec sums[Rows];
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) sums[i] = load(out + i * out_line);
    for (int dx = 0; dx < kernel; ++dx, w += w_step, in += dilation) {
        const Vec weight = splat(*w);
#pragma GCC unroll 4
        for (int i = 0; i < Rows; ++i) sums[i] += weight * load(in + i * line);
    }
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) store(out + i * out_line, sums[i]);
}

void plane_depthwise(const PlaneDepthwise& d) {
    const int half = d.kernel / 2, border = d.dilation * half, wide = padded_width(d.width);
    const int line = wide + 2 * border;
    copy_with_borders(d.in, d.height, d.width, border, line, d.scratch);
    const bool direct = wide == d.width;
    float* out = direct ? d.out : d.scratch + static_cast<Index>(d.height) * line;
    const Vec bias = splat(d.bias);
    for (int i = 0; i < d.height * wide; i += lanes) store(out + i, bias);
    const Index w_step = d.flipped ? -1 : 1;
    for (int dy = 0; dy < d.kernel; ++dy) {
        const RowRange rows(dy, half, d.dilation, d.height);
        const float* w = d.flipped ? d.w + d.kernel * d.kernel - 1 - dy * d.kernel : d.w + dy * d.kernel;
        for (int x = 0; x < wide; x += lanes) {
            int y = rows.begin;
            for (; y + plane_tile <= rows.end; y += plane_tile) {
                add_filter_row<plane_tile>(d.scratch + (y + rows.shift) * line + x, line, w, w_step, d.kernel,
                                           d.dilation, out + y * wide + x, wide);
            }
            for (; y < rows.end; ++y) {
                add_filter_row<1>(d.scratch + (y + rows.shift) * line + x, line, w, w_step, d.kernel,
                                  d.dilation, out + y * wide + x, wide);
            }
        }
    }
    if (direct) return;
    for (int y = 0; y < d.height; ++y) {
        std::memcpy(d.out + static_cast<Index>(y) * d.width, out + static_cast<Index>(y) * wide,
                    sizeof(float) * static_cast<std::size_t>(d.width));
    }
}

/// sums[dx] += grad * in shifted by dx, over some rows, for Taps filter columns.
template <int Taps>
inline void add_products(const float* in, int line, const float* grad, int grad_line, int rows, int dilation,
                         Vec* sums) {
    Vec local[Taps];
#pragma GCC unroll 8
    for (int i = 0; i < Taps; ++i) local[i] = sums[i];
    for (int y = 0; y < rows; ++y, in += line, grad += grad_line) {
        for (int x = 0; x < grad_line; x += lanes) {
            const Vec g = load(grad + x);
#pragma GCC unroll 8
            for (int i = 0; i < Taps; ++i) local[i] += g * load(in + x + i * dilation);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Taps; ++i) sums[i] = local[i];
}

void plane_depthwise_weights(const PlaneDepthwiseWeights& d) {
    const int half = d.kernel / 2, border = d.dilation * half, wide = padded_width(d.width);
    const int line = wide + 2 * border, taps = d.kernel * d.kernel;
    Vec sums[plane_kernel_limit * plane_kernel_limit];
    for (int i = 0; i < taps; ++i) sums[i] = Vec{};
    Vec bias{};
    float* copy = d.scratch + static_cast<Index>(d.height) * line;
    for (int n = 0; n < d.batch; ++n) {
        copy_with_borders(d.in + n * d.in_step, d.height, d.width, border, line, d.scratch);
        const float* grad = d.grad + n * d.grad_step;
        if (wide != d.width) {
            copy_with_borders(grad, d.height, d.width, 0, wide, copy);
            grad = copy;
        }
        for (int i = 0; i < d.height * wide; i += lanes) bias += load(grad + i);
        for (int dy = 0; dy < d.kernel; ++dy) {
            const RowRange rows(dy, half, d.dilation, d.height);
            if (rows.begin >= rows.end) continue;
            const float* in = d.scratch + (rows.begin + rows.shift) * line;
            const float* g = grad + rows.begin * wide;
            const int count = rows.end - rows.begin;
            int dx = 0;
            for (; dx + 7 <= d.kernel; dx += 7) {
                add_products<7>(in + dx * d.dilation, line, g, wide, count, d.dilation,
                                sums + dy * d.kernel + dx);
            }
            for (; dx + 5 <= d.kernel; dx += 5) {
                add_products<5>(in + dx * d.dilation, line, g, wide, count, d.dilation,
                                sums + dy * d.kernel + dx);
            }
            for (; dx + 3 <= d.kernel; dx += 3) {
                add_products<3>(in + dx * d.dilation, line, g, wide, count, d.dilation,
                                sums + dy * d.kernel + dx);
            }
            for (; dx < d.kernel; ++dx) {
                add_products<1>(in + dx * d.dilation, line, g, wide, count, d.dilation,
                                sums + dy * d.kernel + dx);
            }
        }
    }
    for (int i = 0; i < taps; ++i) d.w_grad[i] = sum(sums[i]);
    *d.bias_grad = sum(bias);
}

}  // namespace stl::cpu::STL_VARIANT
