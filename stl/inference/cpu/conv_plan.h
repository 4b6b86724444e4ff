// The encoder's and decoder's convolution on the fast path: one frame on one thread, channels last.
//
// 3x3 convolutions at stride 1 over many channels use Winograd's F(4x4, 3x3) (except in bfloat16 on tiles), all others
// are matrix products with one tap per filter row. For upsampling, the outputs for each of PixelShuffle's four
// positions are a separate convolution, written directly to their final places.
#pragma once

#include <array>
#include <vector>

#include "stl/cpu/packing.h"
#include "stl/cpu/winograd.h"
#include "stl/inference/cpu/frame.h"
#include "stl/inference/cpu/planning.h"
#include "stl/models/layers/conv_sc.h"

namespace stl::inference {

using cpu::Plane;

/// One ConvSC: the convolution, and the factors with which its GroupNorm is then applied together with SiLU.
class ConvPlan {
  public:
    /// The input is [in_channels, height, width], with the number of channels of the plane (padded or not). An odd
    /// number of channels is always computed in float32.
    /// With tiles, products in bfloat16 are so fast that Winograd's transforms would take longer than they save, and
    /// planes store pairs.
    ConvPlan(const BasicConv2d& layer, int in_channels, int height, int width, const Planning& planning);

    int out_height() const { return out_height_; }
    int out_width() const { return out_width_; }
    int out_channels() const { return out_channels_; }  ///< padded
    int border() const { return padding_; }  ///< width of the border that the input plane must have
    /// The type in which the input plane stores its values.
    Type in_stored() const { return stored_; }

    std::int64_t macs() const;

    /// in -> raw [out_height, out_width, out_channels] before the norm.
    void convolve(const Frame& frame, const Plane& in, float* raw) const;
    /// The norm of `raw`, as a factor and an offset per channel, [out_channels] each.
    void norm(const Frame& frame, const float* raw, float* scale, float* shift) const;

  private:
    void plan_winograd(const torch::Tensor& weight);
    void plan_direct(const torch::Tensor& weight);
    void winograd(const Frame& frame, const Plane& in, float* raw) const;
    void direct(const Frame& frame, const Plane& in, float* raw) const;
    /// The plane in the form that products read: itself, or converted to pairs in the thread's scratch memory.
    Plane left_side(const Frame& frame, const Plane& in) const;

    /// Where the outputs of one of PixelShuffle's positions go: the first output, and the distances from pixel to pixel
    /// and from line to line.
    struct Target {
        float* first;
        Index pixel, line;
    };
    Target target(float* raw, int place) const;

    Type precision_, stored_ = Type::float32;
    int in_channels_;
    int kernel_, stride_, padding_, up_;  ///< up: 2 or 1
    int channels_, out_channels_;         ///< number of output channels: actual, and padded
    int out_height_, out_width_;
    double eps_;
    bool winograd_ = false;
    std::vector<cpu::WinogradFilters> filters_;  ///< for each position; with Winograd
    std::vector<cpu::Panels> weights_;           ///< for each position; otherwise
    std::vector<cpu::Buffer> bias_;              ///< for each position
    cpu::Buffer gain_, shift_;
};

}  // namespace stl::inference
