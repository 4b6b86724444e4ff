// The list of metrics. To add one:
//
//   1. <name>.h and .cpp: a function that measures frames (Metric::measure). What can be derived from the frames'
//      sums (frame_sums.h) needs no further pass over the pixels.
//   2. its include and one line in the list of metric.cpp.
//   3. a row in the table of docs/metrics.md, which a test demands.
//   4. its values in tests/metrics/metrics_test.cpp.
//
// Tables, messages, evaluation records, validation lines, reports, `stl list` and --help take it from the list.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "stl/metrics/frame_sums.h"
#include "stl/runtime/torch.h"

namespace stl {

struct MetricOptions;  // stl/metrics/metrics.h

/// The frames of a batch, as a metric sees them.
struct MeasuredFrames {
    const MetricOptions& options;
    const FrameSumOptions& sum_options;
    torch::Tensor prediction, truth;  ///< [N,C,H,W] floating point, on any device
    std::span<const double> sums;     ///< [N, FrameSums::size()]

    std::int64_t count() const { return prediction.size(0); }
    /// Of frame i.
    std::span<const double> sums_of(std::int64_t i) const;
    /// Number of values in a frame, and in one of its groups of channels.
    double values() const;
    double group_values() const { return values() / static_cast<double>(sum_options.groups); }
    /// [N,C,H,W] float32, black 0 and white 1; the prediction is clipped to that.
    torch::Tensor unit_prediction() const;
    torch::Tensor unit_truth() const;

  private:
    torch::Tensor in_range(const torch::Tensor& x) const;
    torch::Tensor unit(const torch::Tensor& x) const;
};

enum class Better { smaller, larger };

struct Metric {
    std::string key;    ///< in JSON, records and the published tables
    std::string title;  ///< in tables and messages
    std::string help;   ///< one line
    int digits = 2;     ///< after the point
    Better better = Better::smaller;
    /// Needs the values of black and white: not computed if the values leave [0, 1] and no range was given.
    bool needs_range = false;
    bool summed = false;    ///< summed over a frame, unless MetricOptions::spatial_norm is set
    bool by_group = false;  ///< also measured for each group of channels; the metric is the groups' mean
    /// Its value for every frame, [N] or, if by_group, [N,groups]. The mean over sequences is the metric of a time
    /// step; the mean of these is the overall value.
    std::vector<double> (*measure)(const MeasuredFrames& frames);
    double (*finish)(double mean) = nullptr;                      ///< applied to such a mean; null: none
    bool (*given)(const MetricOptions& options) = nullptr;        ///< whether to compute it; null: always
    std::string (*note)(const MetricOptions& options) = nullptr;  ///< for the foot of a table
};

/// All metrics, in the order in which they are shown. Rankings and comparisons use the first.
const std::vector<Metric>& metric_list();
inline const Metric& leading_metric() {
    return metric_list().front();
}

/// Whether `a` is better than `b`; false if `a` is NaN.
bool is_better(const Metric& metric, double a, double b);

/// "SSIM, PSNR and LPIPS": the titles of the metrics for which `which`, e.g. &Metric::needs_range, is true.
std::string metric_titles(bool Metric::*which);

}  // namespace stl
