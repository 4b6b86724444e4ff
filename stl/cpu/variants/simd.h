// Vectors of floats for the variants' code: GCC's vector types, as wide as the file's compile flags allow.
//
// Included only by a variant's file, which defines STL_VARIANT (its namespace) and STL_LANES. Nothing here
// may have external linkage under a name that another variant has too: the linker would keep one of them for
// all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace stl::cpu::STL_VARIANT {

inline constexpr int lanes = STL_LANES;
using Index = std::ptrdiff_t;

typedef float Vec __attribute__((vector_size(STL_LANES * 4)));
typedef std::int32_t IntVec __attribute__((vector_size(STL_LANES * 4)));
typedef std::uint32_t UnsignedVec __attribute__((vector_size(STL_LANES * 4)));
typedef float UnalignedVec __attribute__((vector_size(STL_LANES * 4), aligned(4), may_alias));

inline Vec load(const float* p) {
    return *reinterpret_cast<const UnalignedVec*>(p);
}

/// A float's upper half.
struct Bfloat16 {
    std::uint16_t bits;
};
typedef std::uint16_t HalfVec __attribute__((vector_size(STL_LANES * 2), aligned(2), may_alias));

inline Vec load(const Bfloat16* p) {
    const auto halves = *reinterpret_cast<const HalfVec*>(p);
    return reinterpret_cast<Vec>(__builtin_convertvector(halves, UnsignedVec) << 16);
}

inline float widen(float value) {
    return value;
}
inline float widen(Bfloat16 value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
    float out;
    __builtin_memcpy(&out, &bits, sizeof out);
    return out;
}

inline void store(float* p, Vec v) {
    *reinterpret_cast<UnalignedVec*>(p) = v;
}

inline Vec splat(float s) {
    return s - Vec{};  // exact for every s, also -0
}

inline float sum(Vec v) {
    float total = 0;
    for (int i = 0; i < lanes; ++i) total += v[i];
    return total;
}

/// Lane i is a's where i's bit `Step` is clear and b's where it is set, of the lane whose bit is `Set`.
template <int Step, bool Set, int... I>
inline Vec chosen_lanes(Vec a, Vec b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (((I & Step) != 0 ? lanes : 0) + (Set ? I | Step : I & ~Step))...);
}

/// The sum of each of `lanes` vectors, in their order (v is overwritten): by halves, which costs two shuffles and an
/// addition for every two vectors.
template <int Step = 1>
inline Vec sums_of(Vec (&v)[lanes]) {
    if constexpr (Step == lanes) {
        return v[0];
    } else {
        constexpr auto all = std::make_integer_sequence<int, lanes>();
        for (int i = 0; i < lanes; i += 2 * Step) {
            v[i] = chosen_lanes<Step, false>(v[i], v[i + Step], all) +
                   chosen_lanes<Step, true>(v[i], v[i + Step], all);
        }
        return sums_of<2 * Step>(v);
    }
}

/// v[i][j] becomes v[j][i].
template <int Step = 1>
inline void turn(Vec (&v)[lanes]) {
    if constexpr (Step < lanes) {
        constexpr auto all = std::make_integer_sequence<int, lanes>();
        for (int i = 0; i < lanes; ++i) {
            if ((i & Step) != 0) continue;
            const Vec a = v[i], b = v[i + Step];
            v[i] = chosen_lanes<Step, false>(a, b, all);
            v[i + Step] = chosen_lanes<Step, true>(a, b, all);
        }
        turn<2 * Step>(v);
    }
}

inline Vec min(Vec a, Vec b) {
    return a < b ? a : b;
}

inline Vec max(Vec a, Vec b) {
    return a > b ? a : b;
}

}  // namespace stl::cpu::STL_VARIANT
