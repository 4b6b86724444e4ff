// SSIM and PSNR, from the frames' sums: with the prediction clipped and the truth unchanged.
#pragma once

#include "stl/metrics/metric.h"

namespace stl {

/// [N]; frames with a side below 7 have none (NaN).
std::vector<double> structural_similarity(const MeasuredFrames& frames);
/// "SSIM: openstl"
std::string ssim_note(const MetricOptions& options);
/// [N]; infinite where prediction and truth are equal.
std::vector<double> peak_signal_to_noise(const MeasuredFrames& frames);

}  // namespace stl
