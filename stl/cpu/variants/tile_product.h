// Product in bfloat16 on tiles: a block of 2x2 accumulators (32 rows by 32 columns) over the whole depth. They start
// from the bias or the residual and go straight to the output; where both are added, or the residual has a scale, the
// sums go through a buffer. Packed weights (packing.h) are the right factor as they are: two tiles side by side.
#pragma once

#include <cstring>

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/product.h"

namespace stl::cpu::STL_VARIANT {

inline constexpr int tile_side = 16;  ///< rows of a tile, and words in a row of it
inline constexpr int block_side = 2 * tile_side;

/// The rows of an accumulator: as many as a tile has from `row` of `line` on, of which the first `done` have been
/// computed before. (A line's last tile starts where it ends with the line.)
struct TileRows {
    int line = 0, row = 0, done = 0;
};

/// What one call works on. Tiles: HardwareTiles, or EmulatedTiles in the tests.
template <class Tiles>
class TileProduct {
  public:
    explicit TileProduct(const Product& p)
        : p_(p),
          tile_rows_(p.rows < tile_side ? p.rows : tile_side),
          tiles_a_line_((p.rows + tile_side - 1) / tile_side),
          rows_overlap_(p.a_row < p.depth),
          next_(p.next),
          next_end_(p.next ? p.next + p.tap_count * p.depth * p.w_row : nullptr),
          tiles_(tile_rows_) {}

    void run() {
        const int count = p_.lines * tiles_a_line_;
        for (int column = 0; column < p_.columns; column += block_side) {
            const bool whole = column + block_side <= p_.columns;
            int tile = 0;
            for (; tile + 2 <= count; tile += 2) {
                const TileRows down[2] = {rows_of(tile), rows_of(tile + 1)};
                whole ? block<2, 2>(down, column) : block<2, 1>(down, column);
            }
            if (tile == count) continue;
            const TileRows down[1] = {rows_of(tile)};
            whole ? block<1, 2>(down, column) : block<1, 1>(down, column);
        }
    }

  private:
    /// Tiles are counted line after line in strips two tiles wide: of what a convolution reads for a block, the
    /// block below it then finds all but a line in the first-level cache.
    TileRows rows_of(int tile) const {
        const int strip = tile / (2 * p_.lines), in_strip = tile % (2 * p_.lines);
        const int width = 2 * strip + 1 < tiles_a_line_ ? 2 : 1;
        const int line = in_strip / width;
        const int row = (2 * strip + in_strip % width) * tile_side, last = p_.rows - tile_rows_;
        return row <= last ? TileRows{line, row, 0} : TileRows{line, last, row - last};
    }
    const float* left_of(const TileRows& rows) const {
        return p_.a + rows.line * p_.a_line + rows.row * p_.a_row;
    }
    const float* residual_of(const TileRows& rows) const {
        return p_.residual + rows.line * p_.residual_line + rows.row * p_.residual_row;
    }
    float* out_of(const TileRows& rows) const {
        return p_.out + rows.line * p_.out_line + rows.row * p_.out_row;
    }

    /// The left factor's rows: what they share with other rows (a convolution's) is read again soon. What they
    /// don't share goes past the first-level cache, which should hold the right factor.
    template <int Tile>
    void load_left(const float* left, Index row) {
        rows_overlap_ ? tiles_.template load<Tile>(left, row) : tiles_.template load_once<Tile>(left, row);
    }

    /// left, right: the first words; second: from the first accumulators' rows to the second ones'. All loads come
    /// first: behind a busy tile unit they would wait.
    template <int Down, int Across>
    void step(const float* left, Index left_row, Index second, const float* right, Index right_row) {
        tiles_.template load<6>(right, right_row);
        load_left<4>(left, left_row);
        if constexpr (Across == 2) tiles_.template load<7>(right + tile_side, right_row);
        if constexpr (Down == 2) load_left<5>(left + second, left_row);
        tiles_.template multiply_add<0, 4, 6>();
        if constexpr (Across == 2) tiles_.template multiply_add<1, 4, 7>();
        if constexpr (Down == 2) tiles_.template multiply_add<2, 5, 6>();
        if constexpr (Down == 2 && Across == 2) tiles_.template multiply_add<3, 5, 7>();
    }

    /// A last step of fewer than 16 words, with zeros behind them: in both factors, since zero times what lies
    /// there need not be zero.
    template <int Down, int Across>
    void last_step(const float* left, Index second, const float* right, int words) {
        alignas(64) float left_words[Down * tile_side][tile_side] = {};
        alignas(64) float right_words[tile_side][block_side] = {};
        const auto bytes = static_cast<std::size_t>(words) * sizeof(float);
        for (int r = 0; r < tile_rows_; ++r) {
            std::memcpy(left_words[r], left + r * p_.a_row, bytes);
            if constexpr (Down == 2)
                std::memcpy(left_words[tile_side + r], left + second + r * p_.a_row, bytes);
        }
        for (int k = 0; k < words; ++k)
            std::memcpy(right_words[k], right + k * p_.w_row, Across * tile_side * sizeof(float));
        step<Down, Across>(left_words[0], tile_side, Index{tile_side} * tile_side, right_words[0],
                           block_side);
    }

    template <int Down, int Across>
    void block(const TileRows (&down)[Down], int column) {
        // Rows that have been computed before would add to themselves.
        const bool again = down[0].done > 0 || down[Down - 1].done > 0;
        const bool on_residual = p_.residual && !p_.residual_scale && !p_.bias && !p_.row_bias && !again;
        const bool on_bias = !p_.residual && !p_.row_bias;
        if (on_residual) {
            for_accumulators<Down, Across>([&]<int d, int c>() {
                tiles_.template load<2 * d + c>(residual_of(down[d]) + column + c * tile_side,
                                                p_.residual_row);
            });
        } else if (on_bias && p_.bias) {
            for_accumulators<Down, Across>([&]<int d, int c>() {
                tiles_.template load<2 * d + c>(p_.bias + column + c * tile_side, 0);
            });
        } else {
            for_accumulators<Down, Across>([&]<int d, int c>() { tiles_.template zero<2 * d + c>(); });
        }
        sum<Down, Across>(down, column);
        if (on_residual || on_bias) {
            for_accumulators<Down, Across>([&]<int d, int c>() {
                tiles_.template store<2 * d + c>(out_of(down[d]) + column + c * tile_side, p_.out_row);
            });
            return;
        }
        alignas(64) float sums[Down * tile_side][block_side];
        for_accumulators<Down, Across>([&]<int d, int c>() {
            tiles_.template store<2 * d + c>(sums[d * tile_side] + c * tile_side, block_side);
        });
        for (int d = 0; d < Down; ++d) finish<Across>(sums + d * tile_side, down[d], column);
    }

    /// f<d, c>() for the accumulator of the d-th rows and c-th columns, which is tile 2 * d + c.
    template <int Down, int Across, class F>
    static void for_accumulators(F f) {
        f.template operator()<0, 0>();
        if constexpr (Across == 2) f.template operator()<0, 1>();
        if constexpr (Down == 2) f.template operator()<1, 0>();
        if constexpr (Down == 2 && Across == 2) f.template operator()<1, 1>();
    }

    /// Adds the products to the accumulators.
    template <int Down, int Across>
    void sum(const TileRows (&down)[Down], int column) {
        const Index second = left_of(down[Down - 1]) - left_of(down[0]);
        const float* right = p_.w + column;
        for (int t = 0; t < p_.tap_count; ++t, right += p_.depth * p_.w_row) {
            const float* left = left_of(down[0]) + (p_.taps ? p_.taps[t] : 0);
            int k = 0;
            for (; k + tile_side <= p_.depth; k += tile_side) {
                step<Down, Across>(left + k, p_.a_row, second, right + k * p_.w_row, p_.w_row);
                prefetch_next();
            }
            if (k < p_.depth) last_step<Down, Across>(left + k, second, right + k * p_.w_row, p_.depth - k);
        }
    }

    /// Some lines of what is read after this product: few at a time, since they share their buffers with the loads.
    void prefetch_next() {
        constexpr int lines = 4;
        constexpr Index line = 16;
        if (next_ >= next_end_) return;
        for (int i = 0; i < lines; ++i) __builtin_prefetch(next_ + i * line, 0, 2);
        next_ += lines * line;
    }

    template <int Across>
    void finish(const float (*sums)[block_side], const TileRows& rows, int column) const {
        const float* residual = p_.residual ? residual_of(rows) : nullptr;
        float* out = out_of(rows);
        for (int v = 0; v < Across * tile_side; v += lanes) {
            const int c = column + v;
            const Vec bias = p_.bias ? load(p_.bias + c) : Vec{};
            const Vec scale = p_.residual_scale ? load(p_.residual_scale + c) : splat(1.0F);
            for (int r = rows.done; r < tile_rows_; ++r) {
                Vec value = load(sums[r] + v) + bias;
                if (p_.row_bias) value += splat(p_.row_bias[rows.row + r]);
                if (residual) value += scale * load(residual + r * p_.residual_row + c);
                store(out + r * p_.out_row + c, value);
            }
        }
    }

    const Product& p_;
    int tile_rows_, tiles_a_line_;
    bool rows_overlap_;
    const float *next_, *next_end_;
    Tiles tiles_;
};

}  // namespace stl::cpu::STL_VARIANT
