// What a single frame contributes to the metrics, in doubles.
//
// Computed in two ways: by a kernel over spans on the CPU (one pass over the pixels, a few rows of scratch
// memory), and by LibTorch operations on any device. A frame is [C,H,W]; its sums are laid out as in FrameSums.
//
// SSIM: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment", 2004, with a 7x7 uniform window, sample
// covariance (49/48), K1 = 0.01, K2 = 0.03, the mean over the windows that lie inside the frame, then over
// channels. Frames with a side below 7 have no SSIM (NaN).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl {

struct FrameSumOptions {
    double scale = 1.0, shift = 0.0;  ///< both frames are read as v * scale + shift
    double clip_min = 0.0,
           clip_max = 1.0;    ///< limits that the prediction is clipped to, for `clipped` and `ssim`
    double data_range = 2.0;  ///< SSIM's
    std::int64_t groups = 1;  ///< number of groups of channels, all of the same size
};

/// The layout of one frame's sums: squared errors [groups], absolute errors [groups], squared error after
/// clipping (all channels), SSIM.
struct FrameSums {
    std::int64_t groups = 1;

    std::int64_t squared(std::int64_t group) const { return group; }
    std::int64_t absolute(std::int64_t group) const { return groups + group; }
    std::int64_t clipped() const { return 2 * groups; }
    std::int64_t ssim() const { return 2 * groups + 1; }
    std::int64_t size() const { return 2 * groups + 2; }
};

/// Side of SSIM's window.
inline constexpr std::int64_t ssim_window = 7;

/// Holds the scratch memory for frames of one size; every thread needs its own.
class FrameKernel {
  public:
    FrameKernel(std::int64_t channels, std::int64_t height, std::int64_t width,
                const FrameSumOptions& options);

    /// prediction, truth: [C,H,W] contiguous; out: FrameSums::size() values.
    void operator()(std::span<const float> prediction, std::span<const float> truth, std::span<double> out);
    void operator()(std::span<const double> prediction, std::span<const double> truth, std::span<double> out);

  private:
    template <class T>
    void frame(std::span<const T> prediction, std::span<const T> truth, std::span<double> out);
    /// Recomputes similar_ of a channel, with each window's sums taken from its own rows.
    template <class T>
    void add_similarity_anew(std::span<const T> prediction, std::span<const T> truth, std::int64_t channel);
    double column_total(const std::vector<double>& columns) const;

    std::int64_t channels_, height_, width_;
    FrameSumOptions options_;
    std::vector<double> squared_, absolute_, clipped_, similar_;  ///< sums per column, added up at the end
    std::vector<double> window_;  ///< sums over the last 7 rows of x, y, xx + yy, xy: [4,W]
    std::vector<double> ring_;    ///< the last 7 rows of x and y: [7,2,W]
};

/// The same by LibTorch operations, on the tensors' device. prediction, truth: [N,C,H,W]; result: [N,size]
/// double.
torch::Tensor frame_sums(const torch::Tensor& prediction, const torch::Tensor& truth,
                         const FrameSumOptions& options);

}  // namespace stl
