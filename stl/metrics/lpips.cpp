#include "stl/metrics/lpips.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/metrics/metrics.h"

namespace stl {
namespace {

/// AlexNet's convolutions: their place in torchvision's `features`, and what comes before and inside.
struct ConvolutionShape {
    int index;
    std::int64_t kernel, stride, padding;
    bool pooled;  ///< 3x3 maximum with stride 2 comes first
};
constexpr std::array<ConvolutionShape, 5> alex_net{{{0, 11, 4, 2, false},
                                                    {3, 5, 1, 2, true},
                                                    {6, 3, 1, 1, true},
                                                    {8, 3, 1, 1, false},
                                                    {10, 3, 1, 1, false}}};

constexpr std::int64_t smallest_side = 31;  ///< below it the second pooling has nothing to pool
constexpr std::int64_t images_at_once = 64;

torch::Tensor take(const NamedTensors& state, const std::string& name, const std::vector<std::int64_t>& shape,
                   const std::string& where) {
    const auto it = std::ranges::find(state, name, &NamedTensors::value_type::first);
    if (it == state.end()) fail("{}: has no weight '{}'", where, name);
    const auto sizes = it->second.sizes();
    const bool fits =
        sizes.size() == shape.size() &&
        std::ranges::equal(sizes, shape, [](auto size, auto wanted) { return wanted < 0 || size == wanted; });
    if (!fits) {
        fail("{}: {} is [{}], expected [{}] (-1: any)", where, name, fmt::join(sizes, ", "),
             fmt::join(shape, ", "));
    }
    return it->second.to(torch::kCPU, torch::kFloat32).clone();
}

torch::Tensor row_of_channels(const std::array<float, 3>& values, const torch::Tensor& like) {
    return torch::tensor({values[0], values[1], values[2]}).view({1, 3, 1, 1}).to(like.device());
}

/// Every pixel's feature vector scaled to length one.
torch::Tensor unit_length(const torch::Tensor& x) {
    return x / (x.square().sum(1, /*keepdim=*/true).sqrt() + 1e-10);
}

}  // namespace

Lpips::Lpips(const NamedTensors& alexnet, const NamedTensors& heads, const std::string& alexnet_where,
             const std::string& heads_where) {
    std::int64_t channels = 3;
    for (std::size_t i = 0; i < layer_count; ++i) {
        const auto& shape = alex_net[i];
        const auto name = fmt::format("features.{}", shape.index);
        Layer& layer = layers_[i];
        layer.weight =
            take(alexnet, name + ".weight", {-1, channels, shape.kernel, shape.kernel}, alexnet_where);
        channels = layer.weight.size(0);
        layer.bias = take(alexnet, name + ".bias", {channels}, alexnet_where);
        layer.head = take(heads, fmt::format("lin{}.model.1.weight", i), {1, channels, 1, 1}, heads_where);
    }
}

std::array<torch::Tensor, Lpips::layer_count> Lpips::features(torch::Tensor x) const {
    // From [0,1] to [-1,1], then to what the network was trained on.
    x = (2 * x - 1 - row_of_channels({-0.030F, -0.088F, -0.188F}, x)) /
        row_of_channels({0.458F, 0.448F, 0.450F}, x);
    std::array<torch::Tensor, layer_count> out;
    for (std::size_t i = 0; i < layer_count; ++i) {
        const auto& shape = alex_net[i];
        if (shape.pooled) x = torch::max_pool2d(x, 3, 2);
        x = torch::relu(torch::conv2d(x, layers_[i].weight.to(x.device()), layers_[i].bias.to(x.device()),
                                      shape.stride, shape.padding));
        out[i] = x;
    }
    return out;
}

torch::Tensor Lpips::distance_of_few(const torch::Tensor& a, const torch::Tensor& b) const {
    const auto fa = features(a), fb = features(b);
    auto total = torch::zeros({a.size(0)}, a.options());
    for (std::size_t i = 0; i < layer_count; ++i) {
        const auto difference = (unit_length(fa[i]) - unit_length(fb[i])).square();
        total += (difference * layers_[i].head.to(a.device())).sum(1).mean({1, 2});
    }
    return total;
}

torch::Tensor Lpips::distance(const torch::Tensor& a, const torch::Tensor& b) const {
    const auto channels = a.size(1);
    if (channels != 1 && channels != 3) fail("LPIPS: frames have {} channels, expected 1 or 3", channels);
    if (std::min(a.size(2), a.size(3)) < smallest_side) {
        fail("LPIPS: frames of {}x{} are too small, expected at least {}x{}", a.size(2), a.size(3),
             smallest_side, smallest_side);
    }
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> parts;
    for (std::int64_t begin = 0; begin < a.size(0); begin += images_at_once) {
        const auto end = std::min(begin + images_at_once, a.size(0));
        parts.push_back(distance_of_few(a.slice(0, begin, end), b.slice(0, begin, end)));
    }
    return torch::cat(parts);
}

std::vector<double> perceptual_distance(const MeasuredFrames& frames) {
    const auto values = frames.options.lpips->distance(frames.unit_prediction(), frames.unit_truth())
                            .to(torch::kCPU, torch::kFloat64)
                            .contiguous();
    return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

bool has_lpips_weights(const MetricOptions& options) {
    return options.lpips != nullptr;
}

std::string lpips_note(const MetricOptions& options) {
    return fmt::format("LPIPS: {}", options.lpips ? "AlexNet" : "no weights given");
}

}  // namespace stl
