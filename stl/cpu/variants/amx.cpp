// Compiled with what avx512_bf16 has, and AMX's tiles for products in bfloat16.
#define STL_VARIANT amx
#define STL_LANES 16
#include "stl/cpu/variants/hardware_tiles.h"
#define STL_TILES HardwareTiles
#include "stl/cpu/variants/table.h"

namespace stl::cpu::amx {

bool tiles_multiply();

/// Whether a small product on tiles comes out right.
bool tiles_multiply() {
    constexpr int words = 16, columns = 32, rows = 17;
    float a[rows * words], w[words * columns], out[rows * columns];
    constexpr std::uint32_t ones = 0x3f803f80U, twos = 0x40004000U;  // pairs
    for (auto& word : a) __builtin_memcpy(&word, &ones, sizeof word);
    for (auto& word : w) __builtin_memcpy(&word, &twos, sizeof word);
    Product p;
    p.precision = Type::bfloat16;
    p.a = a;
    p.a_row = words;
    p.depth = words;
    p.w = w;
    p.rows = rows;
    p.columns = columns;
    p.out = out;
    p.out_row = columns;
    table.product(p);
    bool right = true;
    for (const float value : out) right = right && value == 4.0F * words;
    return right;
}

}  // namespace stl::cpu::amx
