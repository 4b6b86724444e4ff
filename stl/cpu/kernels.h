// The CPU kernels of fast inference and training: small functions over raw memory, single-threaded, without
// allocation.
//
// Inference has its channels last: activations are a matrix of pixels (rows, `*_row` floats apart) by
// channels (columns). Column counts are multiples of `column_step` except where a function says otherwise:
// buffers are padded to it, what the padding holds does not matter. Every function exists once for each Isa
// (variants/), from the same source.
//
// To add one: what it takes as a struct here (of training: in training.h), its line in kernels.def (training.def), the
// function of that name in a header of variants/, which table.h includes, and its cases in tests/cpu/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "stl/cpu/isa.h"
#include "stl/cpu/training.h"
#include "stl/cpu/type.h"

namespace stl::cpu {

inline constexpr int column_step = 16;
inline constexpr int panel_columns = 32;  ///< of packed weights (packing.h)

inline constexpr int panel_count(int columns) {
    return (columns + panel_columns - 1) / panel_columns;
}
/// Columns of one of the panels of `columns`; the last may have fewer.
inline constexpr int panel_width(int panel, int columns) {
    const int left = columns - panel * panel_columns;
    return left < panel_columns ? left : panel_columns;
}

inline constexpr int padded(int columns) {
    return (columns + column_step - 1) / column_step * column_step;
}

/// out[r][c] = bias[c] + row_bias[r] + residual_scale[c] * residual[r][c] + sum over taps t and k < depth of
/// a[r * a_row + taps[t] + k] * w[(t * depth + k) * w_row + c]. In bfloat16 `a` and `w` hold pairs along the depth,
/// and a_row, a_line, taps and depth count pairs. With taps over a padded picture it is a convolution, with `lines` of
/// all its lines: each has `rows` rows of its own (and there are no row biases).
struct Product {
    Type precision = Type::float32;
    const float* a = nullptr;
    Index a_row = 0;
    const Index* taps = nullptr;  ///< null: one, at 0
    int tap_count = 1;
    int depth = 0;
    const float* w = nullptr;
    Index w_row = panel_columns;
    const float* next = nullptr;  ///< what will be `w` next, to be brought near meanwhile; null: unknown
    int rows = 0;
    int columns = 0;
    int lines = 1;
    Index a_line = 0, out_line = 0;
    float* out = nullptr;
    Index out_row = 0;
    const float* bias = nullptr;  ///< this and the following: null for none
    const float* row_bias = nullptr;
    const float* residual = nullptr;
    Index residual_row = 0, residual_line = 0;
    const float* residual_scale = nullptr;  ///< null: 1
};

/// One filter a channel, stride 1, zeros around, size kept. kernel: odd. w: [kernel*kernel][w_row].
struct Depthwise {
    const float* in = nullptr;
    Index in_row = 0;
    const float* w = nullptr;
    Index w_row = 0;
    const float* bias = nullptr;
    float* out = nullptr;  ///< may be `in`
    Index out_row = 0;
    int height = 0, width = 0, columns = 0, kernel = 0, dilation = 1;
    float* scratch = nullptr;  ///< depthwise_scratch() floats
};

std::size_t depthwise_scratch(int height, int width, int kernel, int dilation);

/// What apply() computes of a and b; s and t are `scale` and `shift`, one a column.
enum class Op {
    gelu,              ///< GELU(a), exact
    gelu_affine,       ///< GELU(a) * s + t
    gelu_affine_add,   ///< GELU(a) * s + t + b
    silu_affine,       ///< SiLU(a * s + t)
    silu_affine_add,   ///< SiLU(a * s + t) + b
    leaky_affine,      ///< LeakyReLU(a * s + t), slope 0.2
    leaky_affine_add,  ///< LeakyReLU(a * s + t) + b
    affine,            ///< a * s + t
    affine_add,        ///< a * s + t + b
    multiply,          ///< a * b
    multiply_scaled,   ///< a * b * s
    sigmoid_gate,      ///< a * sigmoid(b)
    silu_gate,         ///< SiLU(a) * SiLU(b)
    subtract_outer,    ///< a - r * s, r = b[row][0]
};

struct Elementwise {
    const float* a = nullptr;
    Index a_row = 0;
    Type b_stored = Type::float32;  ///< silu_affine_add alone takes pairs
    const float* b = nullptr;
    Index b_row = 0;
    const float* scale = nullptr;
    const float* shift = nullptr;
    Type stored = Type::float32;  ///< of `out` (not of subtract_outer); SiLU is as exact as it needs
    float* out = nullptr;         ///< may be a or b, if it is of the same type
    Index out_row = 0;
    int rows = 0, columns = 0;
};

/// Float32 to pairs, rounded to the nearest, ties to even: of neighbours in a row, or of row 2r and row 2r
/// + 1. A last one without a neighbour is paired with zero.
struct Narrow {
    const float* in = nullptr;
    Index in_row = 0;
    int rows = 0, columns = 0;  ///< of `in`, any numbers
    float* out = nullptr;
    Index out_row = 0;
};

/// Pairs of row 2r and row 2r + 1 of bfloat16 values; a last row without another is paired with zeros.
struct Pair {
    const std::uint16_t* in = nullptr;
    Index in_row = 0;
    int rows = 0, columns = 0;  ///< of `in`, any numbers
    float* out = nullptr;
    Index out_row = 0;
};

/// Of Winograd's F(4x4, 3x3) (winograd.h).
inline constexpr int winograd_tile = 4;
inline constexpr int winograd_points = 36;

/// in: the top left corner of the tiles' 6x6 inputs; tiles lie 4 pixels apart in a row. out:
/// [36][point_stride], in it [tiles][columns]; in bfloat16 [tiles][columns / 2] pairs.
struct WinogradInput {
    Type stored = Type::float32;  ///< of `in`
    const void* in = nullptr;
    Index pixel = 0, line = 0;       ///< values from one pixel to the next, one line to the next
    int tiles = 0, columns = 0;      ///< columns: a multiple of column_step
    Type precision = Type::float32;  ///< of `out`
    float* out = nullptr;
    Index point_stride = 0;
};

/// The products' sums back to 4x4 outputs. `out_pixel` and `out_line` as above; outputs at or beyond `width`
/// and `height` (counted from the first tile's first) are left out.
struct WinogradOutput {
    const float* in = nullptr;
    Index point_stride = 0;
    int tiles = 0, columns = 0;
    const float* bias = nullptr;
    Type stored = Type::float32;  ///< of `out`
    void* out = nullptr;
    Index out_pixel = 0, out_line = 0;
    int width = 0, height = 0;
};

/// Going back from outputs to the sums at the points: the transpose of winograd_output. What lies at or
/// beyond `width` and `height` (counted from the first tile's first) counts as zero. out: [36][point_stride],
/// in it [tiles][columns].
struct WinogradOutputGradient {
    Type stored = Type::float32;  ///< of `in`
    const void* in = nullptr;
    Index pixel = 0, line = 0;  ///< values from one pixel to the next, one line to the next
    int width = 0, height = 0;
    int tiles = 0, columns = 0;
    float* out = nullptr;
    Index point_stride = 0;
};

struct Kernels {
    Isa isa;
    bool has_tiles;  ///< for products in bfloat16, which are many times as quick as in float32 then
#define STL_KERNEL(result, name, arguments) result(*name) arguments;
#include "stl/cpu/kernels.def"
#undef STL_KERNEL
    TrainingKernels training;
};

/// The machine must have it.
const Kernels& kernels(Isa isa = best_isa());

}  // namespace stl::cpu
