#include "stl/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/parts.h"
#include "stl/metrics/frame_sums.h"
#include "stl/metrics/lpips.h"

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

double width_of(const MetricOptions& o) {
    return o.range ? o.range->high - o.range->low : 1.0;
}

FrameSumOptions frame_options(const MetricOptions& o) {
    FrameSumOptions f;
    f.scale = o.std.value_or(1.0);
    f.shift = o.mean.value_or(0.0);
    f.clip_min = o.clip_min;
    f.clip_max = o.clip_max;
    f.data_range = o.ssim == SsimMode::openstl ? 2.0 : 1.0;
    if (o.range) {
        // Differences do not depend on the shift, nor SSIM on a scale that its data range has too: the errors stay in the
        // values' own units.
        f.shift -= o.range->low;
        f.clip_min = 0;
        f.clip_max = width_of(o);
        f.data_range *= width_of(o);
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
            fail("metrics: mean and std belong together, only {} was given", options_.mean ? "mean" : "std");
        }
        if (!(options_.clip_min <= options_.clip_max)) {
            fail("metrics: clip range {},{} is empty", options_.clip_min, options_.clip_max);
        }
        if (options_.range && !(options_.range->low < options_.range->high))
            fail("metrics: range {},{} is empty", options_.range->low, options_.range->high);
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
        std::vector<double> lpips;
        if (options_.lpips) lpips = distances(prediction, truth);
        take(prediction.sizes().slice(1), sums, lpips);
        if (must_be_unit_range()) take_bounds(truth);
    }

    MetricValues value() const;
    const MetricOptions& options() const { return options_; }

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
            fail("metrics: prediction and truth must be of floating point");
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

    /// Resampling, and a network's predictions that are taken for the truth, overshoot [0, 1]; other units leave it far.
    bool leaves_unit_range() const {
        constexpr double tolerance = 0.5;
        return bounds_.low < -tolerance || bounds_.high > 1 + tolerance;
    }

    /// LPIPS of every frame, [B*T].
    std::vector<double> distances(const torch::Tensor& prediction, const torch::Tensor& truth) const {
        const auto range = [&](const torch::Tensor& x) {
            return frames_of(x).to(torch::kFloat32) * frame_options_.scale + frame_options_.shift;
        };
        const auto unit = [&](const torch::Tensor& x) { return options_.range ? x / width_of(options_) : x; };
        const auto p = unit(range(prediction).clamp(frame_options_.clip_min, frame_options_.clip_max));
        const auto values =
            options_.lpips->distance(p, unit(range(truth))).to(torch::kCPU, torch::kFloat64).contiguous();
        return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
    }

    /// Adds the frames' sums in the order of the sequences, so that batches make no difference.
    void take(at::IntArrayRef shape, std::span<const double> sums, std::span<const double> lpips) {
        const FrameSums at{frame_options_.groups};
        const auto frames = static_cast<std::size_t>(shape[0]), size = static_cast<std::size_t>(at.size());
        if (shape_.empty()) {
            shape_.assign(shape.begin(), shape.end());
            totals_.assign(frames * size, 0.0);
            psnr_.assign(frames, 0.0);
            lpips_.assign(frames, 0.0);
        }
        const auto width = width_of(options_);
        const auto values = static_cast<double>(shape[1] * shape[2] * shape[3]) * width * width;
        const auto count = sums.size() / size;
        for (std::size_t i = 0; i < count; ++i) {
            const auto frame = sums.subspan(i * size, size);
            const auto t = i % frames;
            for (std::size_t k = 0; k < size; ++k) totals_[t * size + k] += frame[k];
            const auto errors = frame.first(static_cast<std::size_t>(at.absolute(0)));
            if (std::ranges::any_of(errors, [](double e) { return std::isnan(e); })) ++nan_frames_;
            psnr_[t] += 10.0 * std::log10(values / frame[static_cast<std::size_t>(at.clipped())]);
            if (!lpips.empty()) lpips_[t] += lpips[i];
        }
        sequences_ += static_cast<std::int64_t>(count / frames);
    }

    MetricOptions options_;
    FrameSumOptions frame_options_;
    std::vector<std::int64_t> shape_;  ///< [T,C,H,W]
    std::int64_t sequences_ = 0;
    std::int64_t nan_frames_ = 0;
    std::vector<double> totals_;  ///< [T, FrameSums::size()]
    std::vector<double> psnr_;    ///< [T]
    std::vector<double> lpips_;   ///< [T]
    /// Of all true values.
    ValueRange bounds_{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
};

MetricValues MetricAccumulator::Impl::value() const {
    if (sequences_ == 0) fail("metrics: there are no sequences to measure");
    const FrameSums at{frame_options_.groups};
    const auto frames = static_cast<std::size_t>(shape_[0]);
    const auto groups = frame_options_.groups;
    const auto n = static_cast<double>(sequences_);
    // What a group's sum is divided by, so that it becomes the mean over sequences.
    const auto pixels = static_cast<double>(shape_[1] / groups * shape_[2] * shape_[3]);
    const double divisor = options_.spatial_norm ? n * pixels : n;
    const auto total = [&](std::size_t t, std::int64_t k) {
        return totals_[t * static_cast<std::size_t>(at.size()) + static_cast<std::size_t>(k)];
    };

    MetricValues v;
    v.sequences = sequences_;
    v.nan_frames = nan_frames_;
    for (auto* list : {&v.frame_mse, &v.frame_mae, &v.frame_rmse}) list->assign(frames, 0.0);
    for (std::int64_t g = 0; g < groups; ++g) {
        std::vector<double> mse, mae;
        for (std::size_t t = 0; t < frames; ++t) {
            mse.push_back(total(t, at.squared(g)) / divisor);
            mae.push_back(total(t, at.absolute(g)) / divisor);
            v.frame_mse[t] += mse[t] / static_cast<double>(groups);
            v.frame_mae[t] += mae[t] / static_cast<double>(groups);
            v.frame_rmse[t] += std::sqrt(mse[t]) / static_cast<double>(groups);
        }
        v.rmse += std::sqrt(mean_of(mse)) / static_cast<double>(groups);
        if (options_.channel_names.empty()) continue;
        const auto& name = options_.channel_names[static_cast<std::size_t>(g)];
        v.groups.emplace_back("mse_" + name, mean_of(mse));
        v.groups.emplace_back("mae_" + name, mean_of(mae));
        v.groups.emplace_back("rmse_" + name, std::sqrt(mean_of(mse)));
    }
    for (std::size_t t = 0; t < frames; ++t) {
        v.frame_ssim.push_back(total(t, at.ssim()) / n);
        v.frame_psnr.push_back(psnr_[t] / n);
        if (options_.lpips) v.frame_lpips.push_back(lpips_[t] / n);
    }
    v.mse = mean_of(v.frame_mse);
    v.mae = mean_of(v.frame_mae);
    v.ssim = mean_of(v.frame_ssim);
    v.psnr = mean_of(v.frame_psnr);
    if (options_.lpips) v.lpips = mean_of(v.frame_lpips);
    if (leaves_unit_range()) {
        constexpr auto none = std::numeric_limits<double>::quiet_NaN();
        v.outside = bounds_;
        v.ssim = v.psnr = none;
        for (auto* list : {&v.frame_ssim, &v.frame_psnr, &v.frame_lpips}) std::ranges::fill(*list, none);
        if (v.lpips) v.lpips = none;
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
const MetricOptions& MetricAccumulator::options() const {
    return impl_->options();
}

Json MetricValues::to_json(const MetricOptions& options) const {
    Json json = {{"mse", number(mse)},
                 {"mae", number(mae)},
                 {"rmse", number(rmse)},
                 {"ssim", number(ssim)},
                 {"psnr", number(psnr)}};
    if (lpips) json["lpips"] = number(*lpips);
    json["ssim_mode"] = ssim_mode_name(options.ssim);
    if (options.spatial_norm) json["spatial_norm"] = true;
    if (options.range) json["range"] = {options.range->low, options.range->high};
    if (outside) json["truth_range"] = {outside->low, outside->high};
    json["sequences"] = sequences;
    for (const auto& [name, value] : groups) json[name] = number(value);
    json["per_frame"] = {{"mse", numbers(frame_mse)},
                         {"mae", numbers(frame_mae)},
                         {"rmse", numbers(frame_rmse)},
                         {"ssim", numbers(frame_ssim)},
                         {"psnr", numbers(frame_psnr)}};
    if (lpips) json["per_frame"]["lpips"] = numbers(frame_lpips);
    return json;
}

}  // namespace stl
