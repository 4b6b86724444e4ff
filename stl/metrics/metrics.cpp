#include "stl/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/parts.h"
#include "stl/metrics/frame_sums.h"

namespace stl {
namespace {

/// LibTorch operations need room for a few doubles per value: no more than this many values at once.
constexpr std::int64_t values_at_once = std::int64_t{1} << 22;
/// Fewer values are not worth a thread.
constexpr std::int64_t values_per_thread = std::int64_t{1} << 16;

/// Null where JSON has no number.
Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json numbers(const std::vector<double>& values) {
    Json list = Json::array();
    for (const double value : values) list.push_back(number(value));
    return list;
}

double mean_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

FrameSumOptions frame_options(const MetricOptions& o) {
    FrameSumOptions f;
    f.scale = o.std.value_or(1.0);
    f.shift = o.mean.value_or(0.0);
    f.clip_min = o.clip_min;
    f.clip_max = o.clip_max;
    f.data_range = o.ssim == SsimMode::openstl ? 2.0 : 1.0;
    if (o.range) {
        // Differences do not depend on the shift, nor SSIM on a scale that its data range has too: the errors stay in
        // the values' own units.
        f.shift -= o.range->low;
        f.clip_min = 0;
        f.clip_max = o.range->width();
        f.data_range *= o.range->width();
    }
    f.groups = std::max<std::int64_t>(1, static_cast<std::int64_t>(o.channel_names.size()));
    return f;
}

/// Each frame's sums on the CPU. prediction, truth: [N,C,H,W] float or double, contiguous.
template <class T>
void sums_on_cpu(const torch::Tensor& prediction, const torch::Tensor& truth, const FrameSumOptions& options,
                 std::span<double> out) {
    const auto elements = static_cast<std::size_t>(prediction[0].numel());
    const auto size = static_cast<std::size_t>(FrameSums{options.groups}.size());
    const std::span<const T> p(prediction.const_data_ptr<T>(), static_cast<std::size_t>(prediction.numel()));
    const std::span<const T> t(truth.const_data_ptr<T>(), static_cast<std::size_t>(truth.numel()));
    const auto parts =
        std::clamp<std::int64_t>(prediction.numel() / values_per_thread, 1, at::get_num_threads());
    std::vector<FrameKernel> kernels(
        static_cast<std::size_t>(parts),
        FrameKernel(prediction.size(1), prediction.size(2), prediction.size(3), options));
    in_parts(prediction.size(0), static_cast<int>(parts),
             [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
                 for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
                     kernels[static_cast<std::size_t>(part)](p.subspan(i * elements, elements),
                                                             t.subspan(i * elements, elements),
                                                             out.subspan(i * size, size));
                 }
             });
}

/// Each frame's sums, by operations on the tensors' device.
void sums_on_device(const torch::Tensor& prediction, const torch::Tensor& truth,
                    const FrameSumOptions& options, std::span<double> out) {
    const auto size = FrameSums{options.groups}.size();
    const auto at_once = std::max<std::int64_t>(1, values_at_once / prediction[0].numel());
    for (std::int64_t begin = 0; begin < prediction.size(0); begin += at_once) {
        const auto end = std::min(begin + at_once, prediction.size(0));
        const auto sums = frame_sums(prediction.slice(0, begin, end), truth.slice(0, begin, end), options)
                              .cpu()
                              .contiguous();
        std::copy_n(sums.const_data_ptr<double>(), sums.numel(), out.begin() + begin * size);
    }
}

}  // namespace

const char* ssim_mode_name(SsimMode mode) {
    return mode == SsimMode::openstl ? "openstl" : "standard";
}

SsimMode parse_ssim_mode(const std::string& name) {
    if (name == "openstl") return SsimMode::openstl;
    if (name == "standard") return SsimMode::standard;
    fail("SSIM mode '{}' is not known, expected openstl or standard", name);
}

class MetricAccumulator::Impl {
  public:
    explicit Impl(MetricOptions options)
        : options_(std::move(options)), frame_options_(frame_options(options_)) {
        if (options_.mean.has_value() != options_.std.has_value()) {
            fail("metrics: mean and std require each other, but only {} was given",
                 options_.mean ? "mean" : "std");
        }
        if (!(options_.clip_min <= options_.clip_max)) {
            fail("metrics: clip range {},{} is empty", options_.clip_min, options_.clip_max);
        }
        if (options_.range && !(options_.range->low < options_.range->high))
            fail("metrics: range {},{} is empty", options_.range->low, options_.range->high);
        for (const auto& metric : metric_list()) {
            if (metric.given == nullptr || metric.given(options_)) totals_.push_back({metric, {}});
        }
    }

    void add(const torch::Tensor& prediction, const torch::Tensor& truth) {
        const torch::NoGradGuard no_grad;
        check(prediction, truth);
        if (prediction.size(0) == 0) return;
        const auto p = frames_of(prediction), t = frames_of(truth);
        const auto size = FrameSums{frame_options_.groups}.size();
        std::vector<double> sums(static_cast<std::size_t>(p.size(0) * size));
        if (!p.is_cpu()) {
            sums_on_device(p, t, frame_options_, sums);
        } else if (p.scalar_type() == torch::kFloat64) {
            sums_on_cpu<double>(p, t, frame_options_, sums);
        } else {
            sums_on_cpu<float>(p, t, frame_options_, sums);
        }
        take(prediction.sizes().slice(1), {options_, frame_options_, p, t, sums});
        if (must_be_unit_range()) take_bounds(truth);
    }

    MetricValues value() const;
    const MetricOptions& options() const { return options_; }

    std::vector<double> state() const {
        if (sequences_ == 0) return {};
        std::vector<double> state(shape_.begin(), shape_.end());
        state.insert(state.end(), {static_cast<double>(sequences_), static_cast<double>(nan_frames_),
                                   bounds_.low, bounds_.high});
        for (const auto& total : totals_) state.insert(state.end(), total.sums.begin(), total.sums.end());
        return state;
    }

    void merge(std::span<const double> state) {
        if (state.empty()) return;
        constexpr std::size_t dimensions = 4, counts = 4;
        std::size_t size = dimensions + counts;
        for (const auto& total : totals_)
            size += static_cast<std::size_t>(state.front()) * groups_of(total.metric);
        const std::vector<std::int64_t> shape(state.begin(), state.begin() + dimensions);
        if (state.size() != size || (!shape_.empty() && shape != shape_))
            fail("metrics: measurements of other options or shapes cannot be merged");
        shape_ = shape;
        sequences_ += static_cast<std::int64_t>(state[dimensions]);
        nan_frames_ += static_cast<std::int64_t>(state[dimensions + 1]);
        bounds_.low = std::min(bounds_.low, state[dimensions + 2]);
        bounds_.high = std::max(bounds_.high, state[dimensions + 3]);
        auto rest = state.subspan(dimensions + counts);
        for (auto& [metric, sums] : totals_) {
            sums.resize(static_cast<std::size_t>(shape_[0]) * groups_of(metric));
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += rest[i];
            rest = rest.subspan(sums.size());
        }
    }

  private:
    void check(const torch::Tensor& prediction, const torch::Tensor& truth) const {
        const auto shape = [](const torch::Tensor& t) {
            return fmt::format("[{}]", fmt::join(t.sizes(), ", "));
        };
        if (prediction.dim() != 5 || prediction.sizes() != truth.sizes()) {
            fail("metrics: prediction {} and truth {}, expected equal shapes [B,T,C,H,W]", shape(prediction),
                 shape(truth));
        }
        if (prediction.device() != truth.device()) {
            fail("metrics: prediction on {}, truth on {}", prediction.device().str(), truth.device().str());
        }
        if (!prediction.is_floating_point() || !truth.is_floating_point()) {
            fail("metrics: prediction and truth must have floating-point values");
        }
        if (prediction.numel() == 0 && prediction.size(0) > 0)
            fail("metrics: frames are empty, {}", shape(truth));
        if (prediction.size(2) % frame_options_.groups != 0) {
            fail("metrics: {} channels cannot be divided among {} channel names", prediction.size(2),
                 frame_options_.groups);
        }
        if (!shape_.empty() && prediction.sizes().slice(1) != at::IntArrayRef(shape_)) {
            fail("metrics: sequences of [{}] after sequences of [{}]",
                 fmt::join(prediction.sizes().slice(1), ", "), fmt::join(shape_, ", "));
        }
    }

    /// [B,T,C,H,W] -> [B*T,C,H,W], float or double, contiguous.
    static torch::Tensor frames_of(const torch::Tensor& x) {
        const auto wide = x.scalar_type() == torch::kFloat64 ? x : x.to(torch::kFloat32);
        return wide.flatten(0, 1).contiguous();
    }

    bool must_be_unit_range() const {
        return !options_.range && options_.clip_min == 0 && options_.clip_max == 1;
    }

    void take_bounds(const torch::Tensor& truth) {
        const auto [low, high] = torch::aminmax(truth.flatten());
        const auto read = [&](const torch::Tensor& v) {
            return v.item<double>() * frame_options_.scale + frame_options_.shift;
        };
        bounds_.low = std::min(bounds_.low, read(low));
        bounds_.high = std::max(bounds_.high, read(high));
    }

    /// Resampling, and a network's predictions that are taken for the truth, overshoot [0, 1]; other units leave it
    /// far.
    bool leaves_unit_range() const {
        constexpr double tolerance = 0.5;
        return bounds_.low < -tolerance || bounds_.high > 1 + tolerance;
    }

    std::size_t groups_of(const Metric& metric) const {
        return metric.by_group ? static_cast<std::size_t>(frame_options_.groups) : 1;
    }

    /// Adds the frames in the order of the sequences, so that batches make no difference.
    void take(at::IntArrayRef shape, const MeasuredFrames& measured) {
        shape_.assign(shape.begin(), shape.end());
        const auto frames = static_cast<std::size_t>(shape[0]);
        for (auto& [metric, sums] : totals_) {
            const auto values = metric.measure(measured);
            const auto size = frames * groups_of(metric);
            sums.resize(size);
            for (std::size_t i = 0; i < values.size(); ++i) sums[i % size] += values[i];
        }
        const auto errors = static_cast<std::size_t>(FrameSums{frame_options_.groups}.absolute(0));
        for (std::int64_t i = 0; i < measured.count(); ++i) {
            if (std::ranges::any_of(measured.sums_of(i).first(errors),
                                    [](double e) { return std::isnan(e); }))
                ++nan_frames_;
        }
        sequences_ += measured.count() / shape[0];
    }

    struct Total {
        Metric metric;
        std::vector<double> sums;  ///< over sequences, [T,groups]
    };

    MetricOptions options_;
    FrameSumOptions frame_options_;
    std::vector<std::int64_t> shape_;  ///< [T,C,H,W]
    std::int64_t sequences_ = 0;
    std::int64_t nan_frames_ = 0;
    std::vector<Total> totals_;
    /// Of all true values.
    ValueRange bounds_{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
};

MetricValues MetricAccumulator::Impl::value() const {
    if (sequences_ == 0) fail("metrics: no sequences to evaluate");
    MetricValues v;
    v.sequences = sequences_;
    v.frames = shape_[0];
    v.nan_frames = nan_frames_;
    if (leaves_unit_range()) v.outside = bounds_;
    std::vector<std::vector<double>> by_group;  // of each metric
    for (const auto& [metric, sums] : totals_) {
        const auto groups = groups_of(metric);
        const auto finished = [&](double mean) { return metric.finish ? metric.finish(mean) : mean; };
        MetricValue value{metric, 0, std::vector<double>(static_cast<std::size_t>(v.frames))};
        auto& own = by_group.emplace_back();
        for (std::size_t g = 0; g < groups; ++g) {
            std::vector<double> means;
            for (std::size_t t = 0; t < value.per_frame.size(); ++t) {
                means.push_back(sums[t * groups + g] / static_cast<double>(sequences_));
                value.per_frame[t] += finished(means[t]) / static_cast<double>(groups);
            }
            own.push_back(finished(mean_of(means)));
        }
        if (metric.needs_range && v.outside) {
            for (auto* list : {&own, &value.per_frame})
                std::ranges::fill(*list, std::numeric_limits<double>::quiet_NaN());
        }
        value.overall = mean_of(own);
        v.values.push_back(std::move(value));
    }
    for (std::size_t g = 0; g < options_.channel_names.size(); ++g) {
        for (std::size_t m = 0; m < totals_.size(); ++m) {
            const auto& metric = totals_[m].metric;
            if (metric.by_group)
                v.groups.emplace_back(fmt::format("{}_{}", metric.key, options_.channel_names[g]),
                                      by_group[m][g]);
        }
    }
    return v;
}

MetricAccumulator::MetricAccumulator(MetricOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
MetricAccumulator::~MetricAccumulator() = default;
MetricAccumulator::MetricAccumulator(MetricAccumulator&&) noexcept = default;
MetricAccumulator& MetricAccumulator::operator=(MetricAccumulator&&) noexcept = default;

void MetricAccumulator::add(const torch::Tensor& prediction, const torch::Tensor& truth) {
    impl_->add(prediction, truth);
}
MetricValues MetricAccumulator::value() const {
    return impl_->value();
}
void MetricAccumulator::reset() {
    impl_ = std::make_unique<Impl>(impl_->options());
}
std::vector<double> MetricAccumulator::state() const {
    return impl_->state();
}
void MetricAccumulator::merge(std::span<const double> state) {
    impl_->merge(state);
}
const MetricOptions& MetricAccumulator::options() const {
    return impl_->options();
}

void merge_ranks(MetricAccumulator& metrics, const Group& group) {
    const auto states = group.gather(metrics.state());
    metrics.reset();
    // In the ranks' order, so that all get the same.
    for (const auto& state : states) metrics.merge(state);
}

const MetricValue& MetricValues::of(std::string_view key) const {
    const auto it = std::ranges::find(values, key, [](const MetricValue& v) { return v.metric.key; });
    if (it == values.end()) fail("metrics: {} was not measured", key);
    return *it;
}

Json MetricValues::to_json(const MetricOptions& options) const {
    Json json = Json::object(), frames_json = Json::object();
    for (const auto& [metric, overall, per_frame] : values) {
        json[metric.key] = number(overall);
        frames_json[metric.key] = numbers(per_frame);
    }
    json["ssim_mode"] = ssim_mode_name(options.ssim);
    if (options.spatial_norm) json["spatial_norm"] = true;
    if (options.range) json["range"] = {options.range->low, options.range->high};
    if (outside) json["truth_range"] = {outside->low, outside->high};
    json["sequences"] = sequences;
    for (const auto& [name, value] : groups) json[name] = number(value);
    json["per_frame"] = std::move(frames_json);
    return json;
}

}  // namespace stl
