// LPIPS: the distance between two images in AlexNet's feature space, weighted by linear heads that were fitted to human
// judgements.
//
// Source: Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a
// Perceptual Metric", CVPR 2018 (version 0.1, AlexNet). The weights are not part of the project: AlexNet's
// are torchvision's (features.<n>.weight, .bias), the heads' are the authors' (lin<n>.model.1.weight).
#pragma once

#include <array>
#include <memory>

#include "stl/checkpoint/checkpoint.h"
#include "stl/metrics/metric.h"
#include "stl/runtime/torch.h"

namespace stl {

class Lpips {
  public:
    /// Error naming the weight that is missing or of the wrong shape; `where` names the file.
    Lpips(const NamedTensors& alexnet, const NamedTensors& heads,
          const std::string& alexnet_where = "AlexNet", const std::string& heads_where = "heads");
    /// Reads both files, in any format that read_checkpoint() knows.
    static std::shared_ptr<const Lpips> read(const fs::path& alexnet, const fs::path& heads);

    /// a, b: [N,C,H,W] float in [0,1], C = 1 or 3 (a single channel is repeated three times); H and W at least 31.
    /// Result: [N]. Works on the images' device, a few images at a time.
    torch::Tensor distance(const torch::Tensor& a, const torch::Tensor& b) const;

  private:
    struct Layer {
        torch::Tensor weight, bias, head;
    };
    static constexpr std::size_t layer_count = 5;

    std::array<torch::Tensor, layer_count> features(torch::Tensor x) const;
    torch::Tensor distance_of_few(const torch::Tensor& a, const torch::Tensor& b) const;

    std::array<Layer, layer_count> layers_;
};

/// [N], by MetricOptions::lpips.
std::vector<double> perceptual_distance(const MeasuredFrames& frames);
bool has_lpips_weights(const MetricOptions& options);
/// "LPIPS: AlexNet" or "LPIPS: no weights given".
std::string lpips_note(const MetricOptions& options);

}  // namespace stl
