// Matrices turned around: bfloat16 from channels first to channels last and back, and words (floats, or pairs).
#pragma once

#include <cstddef>
#include <cstdint>

namespace stl::cpu {

/// out[c * out_row + r] = in[r * in_row + c] for `rows` rows of `columns` values (any numbers).
template <class Value>
struct Turn {
    const Value* in = nullptr;
    std::ptrdiff_t in_row = 0;
    int rows = 0, columns = 0;
    Value* out = nullptr;
    std::ptrdiff_t out_row = 0;
};
void turn(const Turn<std::uint16_t>& t);
void turn(const Turn<float>& t);

}  // namespace stl::cpu
