// Products of whole matrices in bfloat16 pairs (type.h), spread over the threads: what linear maps and their
// gradients are made of in training. Inference packs its weights once instead (packing.h).
//
// No sum depends on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "stl/cpu/kernels.h"

namespace stl::cpu {

/// The right factor of a product, to be packed as its kernel reads it: panels of 32 columns, in each
/// [ceil(depth / 2)][32] pairs along the depth.
struct RightFactor {
    const void* in = nullptr;
    Index in_row = 0;  ///< values
    /// What in[r][c] is: float32 at (c, r) of the factor, as a map's weight [outputs][inputs] multiplies from the right;
    /// float32 at (r, c); bfloat16 at (r, c).
    enum class Source { turned_float32, float32, bfloat16 } source = Source::float32;
    int depth = 0, columns = 0;  ///< columns: a multiple of column_step

    std::size_t packed_floats() const;
    void pack(const Kernels& kernels, float* to) const;
};

/// out[r][c] = bias[c] + the sum over k < depth of left(r, k) * right(k, c).
struct MatrixProduct {
    /// bfloat16 values, left(r, k) at [r][k], with a zero behind each row where depth is odd; or with `turned` at
    /// [k][r], which makes pairs of two rows as it goes and takes `out` in float32 alone.
    const std::uint16_t* left = nullptr;
    Index left_row = 0;  ///< values; even, unless turned
    bool turned = false;
    float* left_sums = nullptr;    ///< turned alone: [rows], the sums of left over k; null: not wanted
    const float* right = nullptr;  ///< packed
    const float* bias = nullptr;   ///< null: none
    int rows = 0, depth = 0, columns = 0;
    Type stored = Type::float32;  ///< of out
    void* out = nullptr;
    Index out_row = 0;         ///< values; even
    float* scratch = nullptr;  ///< product_scratch() floats for each thread

    void run(const Kernels& kernels) const;
};

std::size_t product_scratch();

}  // namespace stl::cpu
