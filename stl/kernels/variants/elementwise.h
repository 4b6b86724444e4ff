// apply(): one pass over pixels and channels.
#pragma once

#include "stl/kernels/kernels.h"
#include "stl/kernels/variants/functions.h"

namespace stl::kernels::STL_VARIANT {

/// What one vector of columns needs beyond `a`.
struct Operand {
    const float* b;
    Vec scale, shift;
    Vec second() const { return load(b); }
};

/// f(a, operand) for every vector of every row.
template <class F>
inline void each(const Elementwise& e, F f) {
    for (int c = 0; c < e.columns; c += lanes) {
        Operand operand{nullptr, e.scale ? load(e.scale + c) : splat(1.0F),
                        e.shift ? load(e.shift + c) : Vec{}};
        for (int r = 0; r < e.rows; ++r) {
            operand.b = e.b + r * e.b_row + c;
            store(e.out + r * e.out_row + c, f(load(e.a + r * e.a_row + c), operand));
        }
    }
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
    using O = const Operand&;
    switch (op) {
        case Op::gelu:
            return each(e, [](Vec a, O) { return gelu(a); });
        case Op::gelu_affine:
            return each(e, [](Vec a, O o) { return gelu(a) * o.scale + o.shift; });
        case Op::gelu_affine_add:
            return each(e, [](Vec a, O o) { return gelu(a) * o.scale + o.shift + o.second(); });
        case Op::silu_affine:
            return each(e, [](Vec a, O o) { return silu(a * o.scale + o.shift); });
        case Op::silu_affine_add:
            return each(e, [](Vec a, O o) { return silu(a * o.scale + o.shift) + o.second(); });
        case Op::leaky_affine:
            return each(e, [](Vec a, O o) { return leaky(a * o.scale + o.shift); });
        case Op::leaky_affine_add:
            return each(e, [](Vec a, O o) { return leaky(a * o.scale + o.shift) + o.second(); });
        case Op::affine:
            return each(e, [](Vec a, O o) { return a * o.scale + o.shift; });
        case Op::affine_add:
            return each(e, [](Vec a, O o) { return a * o.scale + o.shift + o.second(); });
        case Op::multiply:
            return each(e, [](Vec a, O o) { return a * o.second(); });
        case Op::multiply_scaled:
            return each(e, [](Vec a, O o) { return a * o.second() * o.scale; });
        case Op::sigmoid_gate:
            return each(e, [](Vec a, O o) { return a * sigmoid(o.second()); });
        case Op::silu_gate:
            return each(e, [](Vec a, O o) { return silu(a) * silu(o.second()); });
        case Op::subtract_outer:
            return subtract_outer(e);
    }
}

}  // namespace stl::kernels::STL_VARIANT
