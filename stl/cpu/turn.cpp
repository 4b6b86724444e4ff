#include "stl/cpu/turn.h"

#include <algorithm>

namespace stl::cpu {
namespace {

constexpr int side = 8;
typedef std::uint16_t Line __attribute__((vector_size(2 * side)));
typedef std::uint16_t UnalignedLine __attribute__((vector_size(2 * side), aligned(2), may_alias));

/// Three rounds that each interleave the first half of the lines with the second one.
void turn_square(const std::uint16_t* in, std::ptrdiff_t in_row, std::uint16_t* out, std::ptrdiff_t out_row) {
    Line lines[side];
    for (int r = 0; r < side; ++r) lines[r] = *reinterpret_cast<const UnalignedLine*>(in + r * in_row);
    for (int round = 0; round < 3; ++round) {
        Line next[side];
        for (int r = 0; r < side / 2; ++r) {
            const Line a = lines[r], b = lines[r + side / 2];
            next[2 * r] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
            next[2 * r + 1] = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
        }
        std::copy_n(next, side, lines);
    }
    for (int c = 0; c < side; ++c) *reinterpret_cast<UnalignedLine*>(out + c * out_row) = lines[c];
}

/// The part from (row, column) on, of at most `rows` by `columns`.
void turn_part(const Turn& t, int row, int column, int rows, int columns) {
    const int last_row = std::min(row + rows, t.rows), last_column = std::min(column + columns, t.columns);
    // Down the rows first: that completes the outputs' cache lines one after the other.
    for (int c = column; c < last_column; c += side) {
        for (int r = row; r < last_row; r += side) {
            const auto* in = t.in + r * t.in_row + c;
            auto* out = t.out + c * t.out_row + r;
            if (r + side <= last_row && c + side <= last_column) {
                turn_square(in, t.in_row, out, t.out_row);
                continue;
            }
            for (int i = 0; r + i < last_row && i < side; ++i) {
                for (int j = 0; c + j < last_column && j < side; ++j)
                    out[j * t.out_row + i] = in[i * t.in_row + j];
            }
        }
    }
}

}  // namespace

void turn(const Turn& t) {
    constexpr int block = 32;  // a cache line of both
    for (int row = 0; row < t.rows; row += block) {
        for (int column = 0; column < t.columns; column += block) turn_part(t, row, column, block, block);
    }
}

}  // namespace stl::cpu
