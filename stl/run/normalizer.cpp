#include "stl/run/normalizer.h"

namespace stl {
namespace {

torch::Tensor by_channel(const std::vector<double>& values, torch::Device device) {
    return torch::tensor(values).to(device, torch::kFloat32).view({-1, 1, 1});
}

}  // namespace

Normalizer::Normalizer(const Normalization& normalization, torch::Device device) {
    if (normalization.empty()) return;
    mean_ = by_channel(normalization.mean, device);
    deviation_ = by_channel(normalization.deviation, device);
}

torch::Tensor Normalizer::apply(const torch::Tensor& x) const {
    return mean_.defined() ? (x - mean_).div_(deviation_) : x;
}

torch::Tensor Normalizer::undo(const torch::Tensor& y) const {
    return mean_.defined() ? torch::addcmul(mean_, y, deviation_) : y;
}

}  // namespace stl
