// Product: a register tile of rows x columns, the weights' row loaded once for all rows of the tile.
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/pairs.h"

namespace stl::cpu::STL_VARIANT {

inline constexpr int tile_vectors = 2;
inline constexpr int tile_columns = tile_vectors * lanes;
/// Accumulators, two vectors of weights and one value of `a` fill the registers.
inline constexpr int tile_rows = lanes == 16 ? 14 : lanes == 8 ? 6 : 4;

/// Bias and residual come last: a long sum that starts from them would be rounded at their size in every
/// step.
template <int Rows, int Vectors>
inline void finish_tile(const Product& p, int row, int column, Vec (&sums)[Rows][Vectors]) {
    for (int v = 0; v < Vectors; ++v) {
        const int c = column + v * lanes;
        const Vec bias = p.bias ? load(p.bias + c) : Vec{};
        const Vec scale = p.residual_scale ? load(p.residual_scale + c) : splat(1.0F);
        for (int r = 0; r < Rows; ++r) {
            Vec value = sums[r][v] + bias;
            if (p.row_bias) value += splat(p.row_bias[row + r]);
            if (p.residual) value += scale * load(p.residual + (row + r) * p.residual_row + c);
            store(p.out + (row + r) * p.out_row + c, value);
        }
    }
}

/// The word at `from` in all lanes; for pairs bit by bit.
template <Type P>
inline Vec splat_word(const float* from) {
    if constexpr (P == Type::float32) return splat(*from);
    std::int32_t bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    return reinterpret_cast<Vec>(IntVec{} + bits);
}

template <Type P>
inline Vec multiply_add(Vec sums, Vec a, Vec b) {
    if constexpr (P == Type::bfloat16) return add_products(sums, a, b);
    return sums + a * b;
}

template <Type P, int Rows, int Vectors>
void tile(const Product& p, int row, int column) {
    Vec sums[Rows][Vectors];
    for (auto& line : sums) {
        for (auto& value : line) value = Vec{};
    }
    const float* w = p.w + column;
    const Index a_row = p.a_row, w_row = p.w_row;
    for (int t = 0; t < p.tap_count; ++t) {
        const float* a = p.a + row * a_row + (p.taps ? p.taps[t] : 0);
        for (int k = 0; k < p.depth; ++k, w += w_row) {
            Vec weights[Vectors];
            for (int v = 0; v < Vectors; ++v) weights[v] = load(w + v * lanes);
#pragma GCC unroll 16
            for (int r = 0; r < Rows; ++r) {
                const Vec value = splat_word<P>(a + r * a_row + k);
#pragma GCC unroll 4
                for (int v = 0; v < Vectors; ++v) sums[r][v] = multiply_add<P>(sums[r][v], value, weights[v]);
            }
        }
    }
    finish_tile<Rows, Vectors>(p, row, column, sums);
}

template <Type P, int Vectors, int Rows = tile_rows>
void tile_of(int rows, const Product& p, int row, int column) {
    if constexpr (Rows > 0) {
        if (rows == Rows) return tile<P, Rows, Vectors>(p, row, column);
        tile_of<P, Vectors, Rows - 1>(rows, p, row, column);
    }
}

template <Type P>
void product_of_line(const Product& p) {
    const int tiles = (p.rows + tile_rows - 1) / tile_rows;
    for (int column = 0; column < p.columns; column += tile_columns) {
        const bool whole = column + tile_columns <= p.columns;
        for (int i = 0, row = 0; i < tiles; ++i) {
            const int rows = (p.rows - row + tiles - i - 1) / (tiles - i);  // as equal as can be
            if (whole) {
                tile_of<P, tile_vectors>(rows, p, row, column);
            } else {
                tile_of<P, 1>(rows, p, row, column);
            }
            row += rows;
        }
    }
}

template <Type P>
void product_in(const Product& p) {
    auto line = p;
    for (int i = 0; i < p.lines; ++i, line.a += p.a_line, line.out += p.out_line) {
        if (p.residual) line.residual = p.residual + i * p.residual_line;
        product_of_line<P>(line);
    }
}

}  // namespace stl::cpu::STL_VARIANT
