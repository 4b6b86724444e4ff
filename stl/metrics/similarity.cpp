#include "stl/metrics/similarity.h"

#include <cmath>

#include "stl/core/error.h"
#include "stl/metrics/metrics.h"

namespace stl {

std::vector<double> structural_similarity(const MeasuredFrames& frames) {
    const auto place = static_cast<std::size_t>(FrameSums{frames.sum_options.groups}.ssim());
    std::vector<double> ssim;
    for (std::int64_t i = 0; i < frames.count(); ++i) ssim.push_back(frames.sums_of(i)[place]);
    return ssim;
}

std::string ssim_note(const MetricOptions& options) {
    return fmt::format("SSIM: {}", ssim_mode_name(options.ssim));
}

std::vector<double> peak_signal_to_noise(const MeasuredFrames& frames) {
    const auto place = static_cast<std::size_t>(FrameSums{frames.sum_options.groups}.clipped());
    const double width = frames.options.range ? frames.options.range->width() : 1.0;
    const double peak = frames.values() * width * width;
    std::vector<double> psnr;
    for (std::int64_t i = 0; i < frames.count(); ++i)
        psnr.push_back(10.0 * std::log10(peak / frames.sums_of(i)[place]));
    return psnr;
}

}  // namespace stl
