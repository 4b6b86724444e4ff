// 3x3 convolutions, stride 1, channels last, by Winograd's F(4x4, 3x3): 4x4 outputs from 6x6 inputs with 36
// multiplications instead of 144. Lavin and Gray (CVPR 2016); interpolation points 0, +-1/sqrt(2), +-sqrt(2)
// and infinity, which round less.
//
// The inputs of many tiles are taken to their 36 points, there multiplied by the filters' (36 products over
// the channels), and the sums taken back to outputs.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "stl/cpu/kernels.h"
#include "stl/cpu/packing.h"
#include "stl/cpu/plane.h"

namespace stl::cpu {

/// The filter of one output and input channel: 3x3 -> 36 points.
void winograd_weights(const float* filter, float* points);

/// Its transpose: gradients at the 36 points -> the filter's.
void winograd_weights_gradient(const float* points, float* filter);

/// Filters at their points, packed for the products.
class WinogradFilters {
  public:
    /// Filter (o, i) is the nine floats from `weight` + o * output_step + i * input_step on, `turned`: back
    /// to front. Inputs beyond `inputs` up to `padded_inputs` are multiplied by zero.
    struct Source {
        const float* weight = nullptr;
        int outputs = 0, inputs = 0, padded_inputs = 0;
        std::ptrdiff_t output_step = 0, input_step = 0;
        bool turned = false;
    };
    WinogradFilters(const Source& source, Type precision);

    const Panels& at(int point) const { return points_[static_cast<std::size_t>(point)]; }
    int outputs() const { return points_.front().outputs(); }  ///< padded to column_step
    int inputs() const { return inputs_; }                     ///< padded
    Type precision() const { return points_.front().precision(); }

  private:
    int inputs_;
    std::vector<Panels> points_;
};

/// One convolution of a plane, height x width outputs.
struct WinogradConvolution {
    const WinogradFilters* filters = nullptr;  ///< all of a call with the same precision; inputs: the plane's
    const float* bias = nullptr;               ///< null: none
    Type stored = Type::float32;               ///< of `out`
    void* out = nullptr;
    Index pixel = 0, line = 0;  ///< values from one to the next
};

/// Floats, for a plane of this size.
std::size_t winograd_scratch(const Plane& plane, int outputs);

/// All convolutions of one plane, on the calling thread. Its border: 1 and more, its spare: winograd_tile
/// - 1. scratch: winograd_scratch() floats for the most outputs.
void winograd(const Kernels& kernels, const Plane& plane, std::span<const WinogradConvolution> convolutions,
              float* scratch);

/// The gradient of the filters at their points, summed over pictures on the calling thread: each point's is a
/// product of inputs and gradients over the tiles, of as many pictures as fill a block.
class WinogradFilterSums {
  public:
    /// width: of all pictures; inputs, outputs: multiples of column_step. scratch, sums: so many floats as
    /// below; adds to sums [36][inputs][outputs].
    WinogradFilterSums(const Kernels& kernels, int width, int inputs, int outputs, float* scratch,
                       float* sums);
    static std::size_t scratch_floats(int width, int inputs, int outputs);
    static std::size_t sums_floats(int inputs, int outputs);

    /// x: with a border of 1 and more, spare winograd_tile - 1. grad: of the outputs, [height, width,
    /// outputs], as x is stored.
    void add(const Plane& x, const void* grad);
    /// After the last one.
    void finish();

  private:
    const Kernels& kernels_;
    int inputs_, outputs_;
    Index capacity_;  ///< tiles
    Index held_ = 0;
    float *before_, *after_, *sums_;
    std::vector<Index> taps_;
};

}  // namespace stl::cpu
