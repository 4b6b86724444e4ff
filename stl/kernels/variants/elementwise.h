// apply(): one pass over pixels and channels.
#pragma once

#include "stl/kernels/kernels.h"
#include "stl/kernels/variants/functions.h"
#include "stl/kernels/variants/pairs.h"

namespace stl::kernels::STL_VARIANT {

/// What one vector of columns needs beyond `a`.
struct Operand {
    const float* b;  ///< the row's start
    int column;
    Vec scale, shift;

    template <class T = float>
    Vec second() const {
        return load(reinterpret_cast<const T*>(b) + column);
    }
};

/// f(a, operand) for every vector of every row, to floats or pairs.
template <class T, class F>
inline void each_to(const Elementwise& e, F f) {
    auto* out = reinterpret_cast<T*>(e.out);
    const Index out_row = e.out_row * static_cast<Index>(sizeof(float) / sizeof(T));
    for (int c = 0; c < e.columns; c += lanes) {
        Operand operand{nullptr, c, e.scale ? load(e.scale + c) : splat(1.0F),
                        e.shift ? load(e.shift + c) : Vec{}};
        for (int r = 0; r < e.rows; ++r) {
            operand.b = e.b + r * e.b_row;
            store(out + r * out_row + c, f(load(e.a + r * e.a_row + c), operand));
        }
    }
}

template <class F>
inline void each(const Elementwise& e, F f) {
    e.stored == Precision::bfloat16 ? each_to<Bfloat16>(e, f) : each_to<float>(e, f);
}

/// SiLU(a * s + t) [+ b, floats or pairs], to floats exactly and to pairs quickly.
template <bool Add>
inline void silu_affine(const Elementwise& e) {
    const auto activated = [](Vec a, const Operand& o) { return silu(a * o.scale + o.shift); };
    const auto quickly = [](Vec a, const Operand& o) { return quick_silu(a * o.scale + o.shift); };
    const bool pairs = e.stored == Precision::bfloat16;
    if constexpr (!Add) {
        pairs ? each_to<Bfloat16>(e, quickly) : each_to<float>(e, activated);
    } else if (e.b_stored == Precision::bfloat16) {
        const auto second = [](const Operand& o) { return o.second<Bfloat16>(); };
        pairs ? each_to<Bfloat16>(e, [&](Vec a, const Operand& o) { return quickly(a, o) + second(o); })
              : each_to<float>(e, [&](Vec a, const Operand& o) { return activated(a, o) + second(o); });
    } else {
        pairs ? each_to<Bfloat16>(e, [&](Vec a, const Operand& o) { return quickly(a, o) + o.second(); })
              : each_to<float>(e, [&](Vec a, const Operand& o) { return activated(a, o) + o.second(); });
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
            return silu_affine<false>(e);
        case Op::silu_affine_add:
            return silu_affine<true>(e);
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
            if (e.stored == Precision::bfloat16)
                return each_to<Bfloat16>(e,
                                         [](Vec a, O o) { return quick_silu(a) * quick_silu(o.second()); });
            return each_to<float>(e, [](Vec a, O o) { return silu(a) * silu(o.second()); });
        case Op::subtract_outer:
            return subtract_outer(e);
    }
}

}  // namespace stl::kernels::STL_VARIANT
