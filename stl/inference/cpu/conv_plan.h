// The encoder's and decoder's convolution on the fast path: one frame on one thread, channels last.
//
// 3x3 at stride 1 over many channels by Winograd's F(4x4, 3x3) (not in bfloat16 on tiles), everything else as a
// product with one tap a filter line. Going up, the outputs of each of PixelShuffle's four places are a
// convolution of their own, written where they belong.
#pragma once

#include <array>
#include <vector>

#include "stl/cpu/packing.h"
#include "stl/cpu/winograd.h"
#include "stl/inference/cpu/frame.h"
#include "stl/models/layers/conv_sc.h"

namespace stl::inference {

using cpu::Plane;

/// One ConvSC: convolution, then what its GroupNorm needs to be applied together with SiLU.
class ConvPlan {
  public:
    /// in: [channels, height, width] of the input; channels as the plane has them (padded or not). An odd
    /// number of channels is computed in float32 always.
    /// has_tiles: of the kernels; products in bfloat16 are so fast with them that Winograd's transforms would take
    /// longer than they save, and planes hold pairs.
    ConvPlan(const BasicConv2d& layer, int in_channels, int height, int width, Type precision,
             bool has_tiles);

    int out_height() const { return out_height_; }
    int out_width() const { return out_width_; }
    int out_channels() const { return out_channels_; }  ///< padded
    int border() const { return padding_; }             ///< that the input plane must have
    /// As what the input plane holds its values.
    Type in_stored() const { return stored_; }

    std::int64_t macs() const;

    /// in -> raw [out_height, out_width, out_channels] before the norm.
    void convolve(const Frame& frame, const Plane& in, float* raw) const;
    /// The norm over raw as factors and offsets of channels, [out_channels] each.
    void norm(const Frame& frame, const float* raw, float* scale, float* shift) const;

  private:
    void plan_winograd(const torch::Tensor& weight);
    void plan_direct(const torch::Tensor& weight);
    void winograd(const Frame& frame, const Plane& in, float* raw) const;
    void direct(const Frame& frame, const Plane& in, float* raw) const;
    /// The plane as products take it: itself, or its pairs in the thread's scratch.
    Plane left_side(const Frame& frame, const Plane& in) const;

    /// Where a place's outputs go: the first one, from one to the next, from one line to the next.
    struct Target {
        float* first;
        Index pixel, line;
    };
    Target target(float* raw, int place) const;

    Type precision_, stored_ = Type::float32;
    int in_channels_;
    int kernel_, stride_, padding_, up_;  ///< up: 2 or 1
    int channels_, out_channels_;         ///< true and padded
    int out_height_, out_width_;
    double eps_;
    bool winograd_ = false;
    std::vector<cpu::WinogradFilters> filters_;  ///< of each place, or
    std::vector<cpu::Panels> weights_;           ///< of each place
    std::vector<cpu::Buffer> bias_;              ///< of each place
    cpu::Buffer gain_, shift_;
};

}  // namespace stl::inference
