// Defines STL_VARIANT's table. Included last by each variant's file, which defines STL_TILES too where products in
// bfloat16 are made of tiles, and STL_ISA where the variant is not named after one.
#pragma once

#include "stl/cpu/variants/chains.h"
#include "stl/cpu/variants/depthwise.h"
#include "stl/cpu/variants/elementwise.h"
#include "stl/cpu/variants/pairs.h"
#include "stl/cpu/variants/pixel_norm.h"
#include "stl/cpu/variants/plane_depthwise.h"
#include "stl/cpu/variants/product.h"
#include "stl/cpu/variants/rows.h"
#include "stl/cpu/variants/tile_product.h"
#include "stl/cpu/variants/winograd.h"

#ifndef STL_ISA
#define STL_ISA Isa::STL_VARIANT
#endif

namespace stl::cpu::STL_VARIANT {

#ifdef STL_TILES
inline constexpr bool has_tiles = true;
inline void product_of_pairs(const Product& p) {
    TileProduct<STL_TILES>(p).run();
}
#else
inline constexpr bool has_tiles = false;
inline void product_of_pairs(const Product& p) {
    product_in<Type::bfloat16>(p);
}
#endif

void product(const Product& p) {
    p.precision == Type::bfloat16 ? product_of_pairs(p) : product_in<Type::float32>(p);
}

extern const Kernels table;
#define STL_KERNEL(result, name, arguments) .name = name,
const Kernels table{
    .isa = STL_ISA,
    .has_tiles = has_tiles,
#include "stl/cpu/kernels.def"
    .training =
        {
#include "stl/cpu/training.def"
        },
};
#undef STL_KERNEL

}  // namespace stl::cpu::STL_VARIANT
