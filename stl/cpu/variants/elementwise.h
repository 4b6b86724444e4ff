// apply(): one pass over pixels and channels.
#pragma once

#include "stl/cpu/kernels.h"
#include "stl/cpu/variants/functions.h"
#include "stl/cpu/variants/pairs.h"

namespace stl::cpu::STL_VARIANT {

/// What one vector of columns needs beyond `a`. T: as what the result is stored; B: as what b is.
template <class T, class B>
struct Operand {
    const B* b;
    Vec scale, shift;

    Vec second() const { return load(b); }
    static Vec silu(Vec x) { return silu_for<T>(x); }
};

/// f(a, operand) for every vector of every row.
template <class T, class B, class F>
inline void each_as(const Elementwise& e, F f) {
    auto* out = reinterpret_cast<T*>(e.out);
    const auto* b = reinterpret_cast<const B*>(e.b);
    constexpr Index word = sizeof(float);  // rows are whole words apart
    const Index out_row = e.out_row * (word / static_cast<Index>(sizeof(T)));
    const Index b_row = e.b_row * (word / static_cast<Index>(sizeof(B)));
    for (int c = 0; c < e.columns; c += lanes) {
        Operand<T, B> operand{nullptr, e.scale ? load(e.scale + c) : splat(1.0F),
                              e.shift ? load(e.shift + c) : Vec{}};
        for (int r = 0; r < e.rows; ++r) {
            operand.b = b + r * b_row + c;
            store(out + r * out_row + c, f(load(e.a + r * e.a_row + c), operand));
        }
    }
}

/// To floats or pairs.
template <class B = float, class F>
inline void each(const Elementwise& e, F f) {
    e.stored == Type::bfloat16 ? each_as<Bfloat16, B>(e, f) : each_as<float, B>(e, f);
}

inline Vec leaky(Vec x) {
    return max(x, x * splat(0.2F));
}

inline void subtract_outer(const Elementwise& e) {
    for (int r = 0; r < e.rows; ++r) {
        const Vec value = splat(e.b[r * e.b_row]);
        for (int c = 0; c < e.columns; c += lanes) {
            store(e.out + r * e.out_row + c, load(e.a + r * e.a_row + c) - value * load(e.scale + c));
        }
    }
}

void apply(Op op, const Elementwise& e) {
    switch (op) {
        case Op::gelu:
            return each(e, [](Vec a, const auto&) { return gelu(a); });
        case Op::gelu_affine:
            return each(e, [](Vec a, const auto& o) { return gelu(a) * o.scale + o.shift; });
        case Op::gelu_affine_add:
            return each(e, [](Vec a, const auto& o) { return gelu(a) * o.scale + o.shift + o.second(); });
        case Op::silu_affine:
            return each(e, [](Vec a, const auto& o) { return o.silu(a * o.scale + o.shift); });
        case Op::silu_affine_add: {
            const auto f = [](Vec a, const auto& o) { return o.silu(a * o.scale + o.shift) + o.second(); };
            return e.b_stored == Type::bfloat16 ? each<Bfloat16>(e, f) : each(e, f);
        }
        case Op::leaky_affine:
            return each(e, [](Vec a, const auto& o) { return leaky(a * o.scale + o.shift); });
        case Op::leaky_affine_add:
            return each(e, [](Vec a, const auto& o) { return leaky(a * o.scale + o.shift) + o.second(); });
        case Op::affine:
            return each(e, [](Vec a, const auto& o) { return a * o.scale + o.shift; });
        case Op::affine_add:
            return each(e, [](Vec a, const auto& o) { return a * o.scale + o.shift + o.second(); });
        case Op::multiply:
            return each(e, [](Vec a, const auto& o) { return a * o.second(); });
        case Op::multiply_scaled:
            return each(e, [](Vec a, const auto& o) { return a * o.second() * o.scale; });
        case Op::sigmoid_gate:
            return each(e, [](Vec a, const auto& o) { return a * sigmoid(o.second()); });
        case Op::silu_gate:
            return each(e, [](Vec a, const auto& o) { return o.silu(a) * o.silu(o.second()); });
        case Op::subtract_outer:
            return subtract_outer(e);
    }
}

}  // namespace stl::cpu::STL_VARIANT
