// Sums and normalisations over rows and columns.
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/functions.h"

namespace stl::cpu::STL_VARIANT {

/// Floats are added up over this many rows, then in double.
inline constexpr int rows_in_float = 64;

void column_sums(const float* a, Index a_row, int rows, int columns, const float* mean, double* sums) {
    for (int c = 0; c < columns; c += lanes) {
        const Vec middle = mean ? load(mean + c) : Vec{};
        for (int first = 0; first < rows; first += rows_in_float) {
            const int last = first + rows_in_float < rows ? first + rows_in_float : rows;
            Vec total{};
            for (int r = first; r < last; ++r) {
                const Vec value = load(a + r * a_row + c);
                const Vec difference = value - middle;
                total += mean ? difference * difference : value;
            }
            for (int i = 0; i < lanes; ++i) sums[c + i] += static_cast<double>(total[i]);
        }
    }
}

/// Adds up f over a row: whole vectors, then the rest one by one as vectors of one value and zeros.
template <class Value, class F>
inline float row_sum(const Value* x, int columns, F f) {
    Vec total{};
    int c = 0;
    for (; c + lanes <= columns; c += lanes) total += f(load(x + c));
    float rest = 0;
    for (; c < columns; ++c) rest += f(splat(widen(x[c])))[0];
    return sum(total) + rest;
}

float sum(const std::uint16_t* a, int count) {
    return row_sum(reinterpret_cast<const Bfloat16*>(a), count, [](Vec v) { return v; });
}

void normalise_rows(const float* a, Index a_row, int rows, int columns, float eps, float* out,
                    Index out_row) {
    for (int r = 0; r < rows; ++r) {
        const float* x = a + r * a_row;
        float* y = out + r * out_row;
        const Vec mean = splat(row_sum(x, columns, [](Vec v) { return v; }) / static_cast<float>(columns));
        const float squares = row_sum(x, columns, [mean](Vec v) { return (v - mean) * (v - mean); });
        const Vec scale = splat(1.0F / __builtin_sqrtf(squares / static_cast<float>(columns) + eps));
        int c = 0;
        for (; c + lanes <= columns; c += lanes) store(y + c, (load(x + c) - mean) * scale);
        for (; c < columns; ++c) y[c] = (x[c] - mean[0]) * scale[0];
    }
}

void softmax_rows(float* x, Index row, int rows, int columns) {
    for (int r = 0; r < rows; ++r, x += row) {
        float highest = x[0];
        int c = 0;
        if (columns >= lanes) {
            Vec top = load(x);
            for (; c + lanes <= columns; c += lanes) top = max(top, load(x + c));
            for (int i = 0; i < lanes; ++i) highest = top[i] > highest ? top[i] : highest;
        }
        for (; c < columns; ++c) highest = x[c] > highest ? x[c] : highest;
        const Vec middle = splat(highest);
        Vec totals{};
        for (c = 0; c + lanes <= columns; c += lanes) {
            const Vec value = exp(load(x + c) - middle);
            totals += value;
            store(x + c, value);
        }
        float total = sum(totals);
        for (; c < columns; ++c) total += x[c] = exp(splat(x[c]) - middle)[0];
        const Vec share = splat(1.0F / total);
        for (c = 0; c + lanes <= columns; c += lanes) store(x + c, load(x + c) * share);
        for (; c < columns; ++c) x[c] *= share[0];
    }
}

void dot_rows(const float* a, Index a_row, int rows, int columns, const float* w, float bias, float* out,
              Index out_row) {
    const auto products = [&](int r) {
        Vec totals{};
        for (int c = 0; c + lanes <= columns; c += lanes) totals += load(a + r * a_row + c) * load(w + c);
        return totals;
    };
    const auto finish = [&](int r, float total) {
        for (int c = columns / lanes * lanes; c < columns; ++c) total += a[r * a_row + c] * w[c];
        out[r * out_row] = total + bias;
    };
    int r = 0;
    for (; r + lanes <= rows; r += lanes) {
        Vec rows_totals[lanes];
        for (int i = 0; i < lanes; ++i) rows_totals[i] = products(r + i);
        const Vec totals = sums_of(rows_totals);
        for (int i = 0; i < lanes; ++i) finish(r + i, totals[i]);
    }
    for (; r < rows; ++r) finish(r, sum(products(r)));
}

}  // namespace stl::cpu::STL_VARIANT
