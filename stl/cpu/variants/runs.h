// One pass over a run of values of any length.
#pragma once

#include "stl/cpu/variants/pairs.h"

namespace stl::cpu::STL_VARIANT {

/// The vector's worth of values at `at`; of the last, incomplete one only `count` values, the rest zero.
template <bool Whole>
struct Part {
    Index at;
    Index count = lanes;

    template <class T>
    Vec of(const T* p) const {
        if constexpr (Whole) return stl::cpu::STL_VARIANT::load(p + at);
        Vec v{};
        for (Index i = 0; i < count; ++i) v[i] = widen(p[at + i]);
        return v;
    }
    template <class T>
    void put(T* p, Vec v) const {
        if constexpr (Whole) return stl::cpu::STL_VARIANT::store(p + at, v);
        T all[lanes];
        stl::cpu::STL_VARIANT::store(all, v);
        for (Index i = 0; i < count; ++i) p[at + i] = all[i];
    }
    /// Adds the values to those at p.
    void add(double* p, Vec v) const {
        for (Index i = 0; i < count; ++i) p[at + i] += static_cast<double>(v[i]);
    }
    /// v where there are values, zero elsewhere.
    Vec only(Vec v) const {
        if constexpr (!Whole) {
            for (Index i = count; i < lanes; ++i) v[i] = 0;
        }
        return v;
    }
};

/// f(T{}) for the type of a task's values.
template <class F>
inline void with_type_of(Type precision, F f) {
    precision == Type::bfloat16 ? f(Bfloat16{}) : f(float{});
}

/// f(part) for all parts of `count` values.
template <class F>
inline void for_parts(Index count, F f) {
    Index i = 0;
    for (; i + lanes <= count; i += lanes) f(Part<true>{i});
    if (i < count) f(Part<false>{i, count - i});
}

/// Sum of f(a, b) over `count` values of both, in double from chunk to chunk.
template <class F>
inline double sum_of(const float* a, const float* b, Index count, F f) {
    double total = 0;
    Vec chunk{};
    for_parts(count, [&](auto part) {
        chunk += part.only(f(part.of(a), part.of(b)));
        if (part.at % (64 * lanes) != 63 * lanes) return;
        total += static_cast<double>(sum(chunk));
        chunk = Vec{};
    });
    return total + static_cast<double>(sum(chunk));
}

/// out = f(a, b), value by value; `out` may be `b`.
template <class F>
inline void in_vectors(const float* a, const float* b, float* out, Index count, F f) {
    for_parts(count, [&](auto part) { part.put(out, f(part.of(a), part.of(b))); });
}

}  // namespace stl::cpu::STL_VARIANT
