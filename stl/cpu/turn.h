// Matrices of bfloat16 turned around: from channels first to channels last and back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stl::cpu {

/// out[c * out_row + r] = in[r * in_row + c] for `rows` rows of `columns` values (any numbers).
struct Turn {
    const std::uint16_t* in = nullptr;
    std::ptrdiff_t in_row = 0;
    int rows = 0, columns = 0;
    std::uint16_t* out = nullptr;
    std::ptrdiff_t out_row = 0;
};
void turn(const Turn& t);

}  // namespace stl::cpu
