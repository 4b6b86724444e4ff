// MSE, MAE, RMSE, SSIM and PSNR as the reference reports them: one pass, constant memory, doubles inside.
//
// Definitions (docs/metrics.md): MSE and MAE sum squared/absolute error over the pixels and channels of a
// frame and average over frames, before any clipping; SSIM: 7x7 uniform window, sample covariance, per frame,
// prediction clipped; PSNR: 10 log10(1/mse) per frame, prediction clipped, truth as it is, mean over frames.
// Frames with a side below 7 have no SSIM (NaN).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/runtime/torch.h"

namespace stl {

class Lpips;  // stl/metrics/lpips.h

/// openstl: data_range 2, what the published tables used. standard: data_range 1.
enum class SsimMode { openstl, standard };
const char* ssim_mode_name(SsimMode mode);
/// Error naming the two modes.
SsimMode parse_ssim_mode(const std::string& name);

/// The values that stand for black and white.
struct ValueRange {
    double low = 0, high = 1;
};

struct MetricOptions {
    SsimMode ssim = SsimMode::openstl;
    bool spatial_norm = false;              ///< MSE and MAE per pixel and channel instead of sums
    std::optional<double> mean, std;        ///< both sequences are denormalised first: x * std + mean
    double clip_min = 0.0, clip_max = 1.0;  ///< of the prediction, for SSIM and PSNR
    /// SSIM, PSNR and LPIPS as if this range of the (denormalised) values had been scaled to [0, 1]; clip_min and
    /// clip_max do not count then. MSE, MAE and RMSE stay in the values' own units.
    std::optional<ValueRange> range;
    std::vector<std::string>
        channel_names;                   ///< MSE/MAE also per group of channels; the summary is their mean
    std::shared_ptr<const Lpips> lpips;  ///< LPIPS too, where its weights were given
};

struct MetricValues {
    std::int64_t sequences = 0;
    std::int64_t nan_frames = 0;  ///< of sequences * T, those where prediction or truth hold NaN
    double mse = 0, mae = 0, rmse = 0, ssim = 0, psnr = 0;
    std::vector<double> frame_mse, frame_mae, frame_rmse, frame_ssim, frame_psnr;  ///< [T]
    std::optional<double> lpips;
    std::vector<double> frame_lpips;
    /// Set where the true values leave [0, 1] by more than a half and neither a range nor another clip range was
    /// given: SSIM, PSNR and LPIPS mean nothing then and are NaN.
    std::optional<ValueRange> outside;
    std::vector<std::pair<std::string, double>> groups;  ///< "mse_<name>", "mae_<name>", ... where asked for

    /// {"mse", "mae", "rmse", "ssim", "psnr", "ssim_mode", "sequences", "per_frame": {...}}; infinities are
    /// null. "spatial_norm" (true), "range", "lpips" and the channel groups stand there where they were asked for;
    /// "truth_range" where the true values leave [0, 1] (`outside`).
    Json to_json(const MetricOptions& options) const;
};

/// add() any number of batches, on any device; value() at any time; reset() starts anew.
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
    const MetricOptions& options() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stl
