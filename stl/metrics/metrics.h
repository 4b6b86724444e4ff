// Measures predictions with the metrics of the list (metric.h), as the reference reports them: in one pass, constant
// memory and double precision. docs/metrics.md has the definitions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stl/core/json.h"
#include "stl/core/value_range.h"
#include "stl/distributed/group.h"
#include "stl/metrics/metric.h"
#include "stl/runtime/torch.h"

namespace stl {

class Lpips;  // stl/metrics/lpips.h

/// openstl: data_range 2, as in the published tables. standard: data_range 1.
enum class SsimMode { openstl, standard };
const char* ssim_mode_name(SsimMode mode);
/// Error naming the two modes.
SsimMode parse_ssim_mode(const std::string& name);

struct MetricOptions {
    SsimMode ssim = SsimMode::openstl;
    bool spatial_norm = false;        ///< average what is otherwise summed over a frame (Metric::summed)
    std::optional<double> mean, std;  ///< both sequences are denormalised first: x * std + mean
    double clip_min = 0.0,
           clip_max = 1.0;  ///< the prediction is clipped to this for metrics that need a range
    /// Metrics that need a range are computed as if this one of the (denormalised) values had been scaled to [0, 1];
    /// clip_min and clip_max are then ignored. The other metrics stay in the values' own units.
    std::optional<ValueRange> range;
    std::vector<std::string> channel_names;  ///< a group of channels each (Metric::by_group)
    std::shared_ptr<const Lpips> lpips;      ///< set: compute LPIPS, too
};

/// The results of one metric; NaN where it has no value.
struct MetricValue {
    Metric metric;
    double overall = 0;
    std::vector<double> per_frame;  ///< [T]
};

struct MetricValues {
    std::int64_t sequences = 0;
    std::int64_t frames = 0;  ///< T
    std::int64_t nan_frames =
        0;  ///< number of the sequences * T frames in which prediction or truth contains NaN
    std::vector<MetricValue> values;  ///< in the order of the list
    /// Set where the true values leave [0, 1] by more than a half and neither a range nor another clip range was
    /// given: metrics that need a range are then meaningless and set to NaN.
    std::optional<ValueRange> outside;
    std::vector<std::pair<std::string, double>>
        groups;  ///< "mse_<name>", "mae_<name>", ... if channel_names are given

    /// The result with this metric's key. Error: it was not measured.
    const MetricValue& of(std::string_view key) const;
    double operator[](std::string_view key) const { return of(key).overall; }

    /// A number for each metric's key, "ssim_mode", "sequences", "per_frame": {...}; infinities are null.
    /// "spatial_norm" (true), "range" and the channel groups are present if they were requested; "truth_range" if
    /// the true values leave [0, 1] (`outside`).
    Json to_json(const MetricOptions& options) const;
};

/// add() any number of batches, on any device; value() at any time; reset() starts over.
/// The result does not depend on how sequences are batched (to 1e-12) or on the number of threads.
class MetricAccumulator {
  public:
    explicit MetricAccumulator(MetricOptions options = {});
    ~MetricAccumulator();
    MetricAccumulator(MetricAccumulator&&) noexcept;
    MetricAccumulator& operator=(MetricAccumulator&&) noexcept;

    /// prediction, truth: [B,T,C,H,W], same shape and device, floating point. Error if the shapes differ.
    void add(const torch::Tensor& prediction, const torch::Tensor& truth);
    MetricValues value() const;
    void reset();
    /// What was added so far, as numbers that merge() of another process takes.
    std::vector<double> state() const;
    /// Adds what another accumulator with the same options was given. Error: it has other options or shapes.
    void merge(std::span<const double> state);
    const MetricOptions& options() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Gives the accumulator of every rank what all of them were given. Collective.
void merge_ranks(MetricAccumulator& metrics, const Group& group);

}  // namespace stl
