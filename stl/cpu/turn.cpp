#include "stl/cpu/turn.h"

#include <algorithm>

namespace stl::cpu {
namespace {

template <class Value>
inline constexpr int side = 16 / sizeof(Value);  ///< of a square that lies in so many vector registers

template <class Value>
struct Square {
    typedef Value Line __attribute__((vector_size(16)));
    typedef Value UnalignedLine __attribute__((vector_size(16), aligned(alignof(Value)), may_alias));
};

using Halves = Square<std::uint16_t>::Line;
using Words = Square<float>::Line;

/// a and b, value by value: the first halves' values, and the second ones'.
Halves interleaved_first(Halves a, Halves b) {
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
Halves interleaved_second(Halves a, Halves b) {
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
Words interleaved_first(Words a, Words b) {
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
}
Words interleaved_second(Words a, Words b) {
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
}

/// Rounds (as many as halve a side to one) that each interleave the first half of the lines with the second one.
template <class Value>
void turn_square(const Value* in, std::ptrdiff_t in_row, Value* out, std::ptrdiff_t out_row) {
    using Line = typename Square<Value>::Line;
    using UnalignedLine = typename Square<Value>::UnalignedLine;
    constexpr int n = side<Value>;
    Line lines[n];
    for (int r = 0; r < n; ++r) lines[r] = *reinterpret_cast<const UnalignedLine*>(in + r * in_row);
    for (int width = n; width > 1; width /= 2) {
        Line next[n];
        for (int r = 0; r < n / 2; ++r) {
            next[2 * r] = interleaved_first(lines[r], lines[r + n / 2]);
            next[2 * r + 1] = interleaved_second(lines[r], lines[r + n / 2]);
        }
        std::copy_n(next, n, lines);
    }
    for (int c = 0; c < n; ++c) *reinterpret_cast<UnalignedLine*>(out + c * out_row) = lines[c];
}

/// The part from (row, column) on, of at most `rows` by `columns`.
template <class Value>
void turn_part(const Turn<Value>& t, int row, int column, int rows, int columns) {
    constexpr int n = side<Value>;
    const int last_row = std::min(row + rows, t.rows), last_column = std::min(column + columns, t.columns);
    // Down the rows first: that completes the outputs' cache lines one after the other.
    for (int c = column; c < last_column; c += n) {
        for (int r = row; r < last_row; r += n) {
            const auto* in = t.in + r * t.in_row + c;
            auto* out = t.out + c * t.out_row + r;
            if (r + n <= last_row && c + n <= last_column) {
                turn_square(in, t.in_row, out, t.out_row);
                continue;
            }
            for (int i = 0; r + i < last_row && i < n; ++i) {
                for (int j = 0; c + j < last_column && j < n; ++j)
                    out[j * t.out_row + i] = in[i * t.in_row + j];
            }
        }
    }
}

template <class Value>
void turn_all(const Turn<Value>& t) {
    constexpr int block = 64 / sizeof(Value);  // a cache line of both
    for (int row = 0; row < t.rows; row += block) {
        for (int column = 0; column < t.columns; column += block) turn_part(t, row, column, block, block);
    }
}

}  // namespace

void turn(const Turn<std::uint16_t>& t) {
    turn_all(t);
}

void turn(const Turn<float>& t) {
    turn_all(t);
}

}  // namespace stl::cpu
