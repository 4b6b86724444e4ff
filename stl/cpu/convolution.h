// Convolutions of a training step as products in bfloat16 pairs (type.h): filters of any odd size, in groups, stride 1,
// zeros around so that the size stays; forward and to the gradients. Pictures are channels last. The gradient of the
// input is a Convolution too, of the output's gradient with the turned filters.
//
// No sum depends on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "stl/cpu/kernels.h"

namespace stl::cpu {

struct ConvolutionShape {
    int pictures = 0, height = 0, width = 0;
    int groups = 1;
    int inputs = 0, outputs = 0;  ///< channels of a group, multiples of column_step
    int kernel = 1;               ///< odd

    int border() const { return kernel / 2; }
    int pixels() const { return height * width; }
};

/// Filters in the order in which PictureConvolution reads them: of each group its outputs in panels, in each
/// [ky][kx][inputs / 2][32] pairs of inputs.
struct Filters {
    ConvolutionShape shape;
    const float* weight = nullptr;  ///< [groups * outputs][inputs][kernel][kernel]
    /// By half a turn, with inputs and outputs exchanged: from the output's gradient to the input's.
    bool turned = false;

    std::size_t packed_floats() const;
    void pack(const Kernels& kernels, float* to) const;
};

/// out = bias + in * filters, summed in float32.
struct PictureConvolution {
    ConvolutionShape shape;
    const std::uint16_t* in = nullptr;  ///< [pictures][height][width][groups * inputs] bfloat16
    const float* filters = nullptr;     ///< packed
    const float* bias = nullptr;        ///< [groups * outputs]; null: none
    std::uint16_t* out = nullptr;       ///< [pictures][height][width][groups * outputs] bfloat16
    float* scratch = nullptr;           ///< zeros, scratch_floats() for each thread

    std::size_t scratch_floats() const;
    void run(const Kernels& kernels) const;
};

/// The sums over all pictures and pixels of in[y + ky - border][x + kx - border][input] * grad[y][x][output].
struct FilterGradient {
    ConvolutionShape shape;
    const std::uint16_t* in = nullptr;    ///< [pictures][height][width][groups * inputs] bfloat16
    const std::uint16_t* grad = nullptr;  ///< [pictures][height][width][groups * outputs] bfloat16
    float* out = nullptr;                 ///< [groups * outputs][inputs][kernel][kernel]
    float* bias_out = nullptr;            ///< [groups * outputs], the sums of grad; null: not wanted
    float* sums = nullptr;                ///< sums_floats()
    float* scratch = nullptr;             ///< zeros, scratch_floats() for each thread

    std::size_t sums_floats() const;
    std::size_t scratch_floats() const;
    void run(const Kernels& kernels) const;

  private:
    /// The pictures are cut into so many parts, which threads sum by themselves.
    int parts() const;
    /// Floats of a part's group: [ky][kx][input][output], [output].
    std::size_t group_sums() const;
};

}  // namespace stl::cpu
