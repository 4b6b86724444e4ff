#include "stl/metrics/metric.h"

#include "stl/core/names.h"
#include "stl/metrics/errors.h"
#include "stl/metrics/lpips.h"
#include "stl/metrics/metrics.h"
#include "stl/metrics/similarity.h"

namespace stl {

const std::vector<Metric>& metric_list() {
    // clang-format off
    static const std::vector<Metric> members{
        {.key = "mse", .title = "MSE", .help = "squared error, summed over a frame's pixels and channels",
         .summed = true, .by_group = true, .measure = squared_error},
        {.key = "mae", .title = "MAE", .help = "absolute error, summed over a frame's pixels and channels",
         .summed = true, .by_group = true, .measure = absolute_error},
        {.key = "rmse", .title = "RMSE", .help = "square root of the MSE over all frames",
         .by_group = true, .measure = squared_error, .finish = root},
        {.key = "ssim", .title = "SSIM", .help = "structural similarity (Wang et al. 2004), 7×7 uniform window, sample covariance, averaged over channels",
         .digits = 4, .better = Better::larger, .needs_range = true, .measure = structural_similarity, .note = ssim_note},
        {.key = "psnr", .title = "PSNR", .help = "10·log10(1 / mean squared error of a frame) in dB",
         .better = Better::larger, .needs_range = true, .measure = peak_signal_to_noise},
        {.key = "lpips", .title = "LPIPS", .help = "perceptual distance (Zhang et al. 2018, AlexNet); needs its two weight files",
         .digits = 4, .needs_range = true, .measure = perceptual_distance, .given = has_lpips_weights, .note = lpips_note},
    };
    // clang-format on
    return members;
}

bool is_better(const Metric& metric, double a, double b) {
    return metric.better == Better::smaller ? a < b : a > b;
}

std::string metric_titles(bool Metric::*which) {
    std::vector<std::string> titles;
    for (const auto& metric : metric_list()) {
        if (metric.*which) titles.push_back(metric.title);
    }
    return listed(titles, "and");
}

std::span<const double> MeasuredFrames::sums_of(std::int64_t i) const {
    const auto size = static_cast<std::size_t>(FrameSums{sum_options.groups}.size());
    return sums.subspan(static_cast<std::size_t>(i) * size, size);
}

double MeasuredFrames::values() const {
    return static_cast<double>(prediction[0].numel());
}

torch::Tensor MeasuredFrames::in_range(const torch::Tensor& x) const {
    return x.to(torch::kFloat32) * sum_options.scale + sum_options.shift;
}

torch::Tensor MeasuredFrames::unit(const torch::Tensor& x) const {
    return options.range ? x / options.range->width() : x;
}

torch::Tensor MeasuredFrames::unit_prediction() const {
    return unit(in_range(prediction).clamp(sum_options.clip_min, sum_options.clip_max));
}

torch::Tensor MeasuredFrames::unit_truth() const {
    return unit(in_range(truth));
}

}  // namespace stl
