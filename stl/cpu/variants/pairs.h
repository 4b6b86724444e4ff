// Pairs of bfloat16: made of floats, and multiplied.
#pragma once

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/simd.h"

namespace stl::cpu::STL_VARIANT {

/// Rounded to the nearest, ties to even, in the upper half; NaN stays NaN.
inline IntVec rounded(Vec x) {
    const auto bits = reinterpret_cast<UnsignedVec>(x);
    const UnsignedVec nearest = bits + 0x7fffU + ((bits >> 16) & 1U);
    return x == x ? reinterpret_cast<IntVec>(nearest) : IntVec{} + 0x7fc00000;
}

/// Word by word: the lower half of the first, the upper half of the second.
inline Vec paired(Vec low, Vec high) {
    const auto lower = reinterpret_cast<UnsignedVec>(rounded(low)) >> 16;
    const auto upper = reinterpret_cast<UnsignedVec>(rounded(high)) & 0xffff0000U;
    return reinterpret_cast<Vec>(lower | upper);
}

/// `lanes` values to lanes / 2 pairs of neighbours.
inline void store_pairs(void* to, Vec x) {
#ifdef __AVX512BF16__
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(x))));
#else
    const auto bits = rounded(x);
    std::uint16_t halves[lanes];
    for (int i = 0; i < lanes; ++i) halves[i] = static_cast<std::uint16_t>(bits[i] >> 16);
    __builtin_memcpy(to, halves, sizeof halves);
#endif
}

inline void store(Bfloat16* p, Vec x) {
    store_pairs(p, x);
}

/// sums + a * b, both of a pair.
inline Vec add_products(Vec sums, Vec a, Vec b) {
#ifdef __AVX512BF16__
    return reinterpret_cast<Vec>(_mm512_dpbf16_ps(
        reinterpret_cast<__m512>(sums), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
#else
    const auto low = [](Vec x) { return reinterpret_cast<Vec>(reinterpret_cast<UnsignedVec>(x) << 16); };
    const auto high = [](Vec x) {
        return reinterpret_cast<Vec>(reinterpret_cast<UnsignedVec>(x) & 0xffff0000U);
    };
    sums += high(a) * high(b);
    return sums + low(a) * low(b);
#endif
}

void narrow_rows(const Narrow& n) {
    for (int r = 0; r < n.rows; ++r) {
        const float* in = n.in + r * n.in_row;
        float* out = n.out + r * n.out_row;
        int c = 0;
        for (; c + lanes <= n.columns; c += lanes) store_pairs(out + c / 2, load(in + c));
        if (c == n.columns) continue;
        Vec rest{};
        for (int i = 0; c + i < n.columns; ++i) rest[i] = in[c + i];
        float pairs[lanes / 2];
        store_pairs(pairs, rest);
        const int count = (n.columns - c + 1) / 2;
        __builtin_memcpy(out + c / 2, pairs, static_cast<std::size_t>(count) * sizeof(float));
    }
}

void narrow_columns(const Narrow& n) {
    for (int r = 0; r < n.rows; r += 2) {
        const float* first = n.in + r * n.in_row;
        const float* second = r + 1 < n.rows ? first + n.in_row : nullptr;
        float* out = n.out + r / 2 * n.out_row;
        int c = 0;
        for (; c + lanes <= n.columns; c += lanes)
            store(out + c, paired(load(first + c), second ? load(second + c) : Vec{}));
        for (; c < n.columns; ++c) out[c] = paired(splat(first[c]), splat(second ? second[c] : 0.0F))[0];
    }
}

void narrow_turned(const Narrow& n) {
    constexpr int side = 2 * lanes;
    for (int c = 0; c < n.columns; c += side) {
        const int columns = n.columns - c < side ? n.columns - c : side;
        float* out = n.out + c / 2 * n.out_row;
        for (int r = 0; r < n.rows; r += lanes) {
            const int rows = n.rows - r < lanes ? n.rows - r : lanes;
            Vec words[lanes];
            narrow_rows({.in = n.in + r * n.in_row + c,
                         .in_row = n.in_row,
                         .rows = rows,
                         .columns = columns,
                         .out = reinterpret_cast<float*>(words),
                         .out_row = lanes});
            turn(words);
            for (int k = 0; k < (columns + 1) / 2; ++k) {
                if (rows == lanes) {
                    store(out + k * n.out_row + r, words[k]);
                } else {
                    for (int i = 0; i < rows; ++i) out[k * n.out_row + r + i] = words[k][i];
                }
            }
        }
    }
}

void pair_columns(const Pair& p) {
    for (int r = 0; r < p.rows; r += 2) {
        const std::uint16_t* first = p.in + r * p.in_row;
        const std::uint16_t* second = r + 1 < p.rows ? first + p.in_row : nullptr;
        auto* out = reinterpret_cast<std::uint16_t*>(p.out + r / 2 * p.out_row);
        for (int c = 0; c < p.columns; ++c) {
            out[2 * c] = first[c];
            out[2 * c + 1] = second ? second[c] : std::uint16_t{0};
        }
    }
}

}  // namespace stl::cpu::STL_VARIANT
