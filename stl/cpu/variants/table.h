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
const Kernels table{.isa = STL_ISA,
                    .has_tiles = has_tiles,
                    .product = product,
                    .narrow_rows = narrow_rows,
                    .narrow_columns = narrow_columns,
                    .narrow_turned = narrow_turned,
                    .pair_columns = pair_columns,
                    .depthwise = depthwise,
                    .apply = apply,
                    .column_sums = column_sums,
                    .normalise_rows = normalise_rows,
                    .softmax_rows = softmax_rows,
                    .dot_rows = dot_rows,
                    .pool_difference = pool_difference,
                    .winograd_input = winograd_input,
                    .winograd_output = winograd_output,
                    .winograd_output_gradient = winograd_output_gradient,
                    .training = {.depthwise = plane_depthwise,
                                 .depthwise_weights = plane_depthwise_weights,
                                 .group_norm_silu = group_norm_silu,
                                 .group_norm_silu_backward = group_norm_silu_backward,
                                 .blend = blend,
                                 .dot = dot,
                                 .sum = sum_run,
                                 .gelu = gelu,
                                 .gelu_backward = gelu_backward,
                                 .aggregation_backward = aggregation_backward,
                                 .decompose_silu = decompose_silu,
                                 .decompose_silu_backward = decompose_silu_backward,
                                 .silu_gate = silu_gate,
                                 .silu_gate_backward = silu_gate_backward}};

}  // namespace stl::cpu::STL_VARIANT
