#include "stl/models/layers/folding.h"

namespace stl {
namespace {

torch::Tensor doubles(const torch::Tensor& t) {
    return t.detach().to(torch::kDouble);
}

}  // namespace

Affine Affine::of(const BatchNorm2d& norm) {
    const auto scale = doubles(norm->weight) / torch::sqrt(doubles(norm->running_var) + norm->eps);
    return {scale, doubles(norm->bias) - doubles(norm->running_mean) * scale};
}

Affine Affine::of(const GroupNorm& norm) {
    return {doubles(norm->weight), doubles(norm->bias)};
}

Affine Affine::of(const LayerNorm& norm) {
    return {doubles(norm->weight), doubles(norm->bias)};
}

Affine Affine::of(const LayerNorm2d& norm) {
    return {doubles(norm->weight), doubles(norm->bias)};
}

Map Map::of(const Conv2d& pointwise) {
    return {doubles(pointwise->weight).flatten(1), doubles(pointwise->bias)};
}

Map Map::of(const Linear& linear) {
    const auto w = doubles(linear->weight);
    return {w, linear->bias.defined() ? doubles(linear->bias) : w.new_zeros({w.size(0)})};
}

Map Map::after(const Affine& affine) const {
    return {w * affine.scale.unsqueeze(0), b + torch::mv(w, affine.shift)};
}

Map Map::after(const torch::Tensor& scale) const {
    return {w * scale.unsqueeze(0), b};
}

Map Map::times(const torch::Tensor& scale) const {
    const auto s = doubles(scale).flatten();
    return {w * s.unsqueeze(1), b * s};
}

void Map::store(const Conv2d& pointwise) const {
    const torch::NoGradGuard no_grad;
    pointwise->weight.copy_(w.view_as(pointwise->weight));
    pointwise->bias.copy_(b);
}

FoldedBranch fold_around(const BatchNorm2d& norm, const Conv2d& first, const Conv2d& last,
                         const torch::Tensor& scale) {
    const auto affine = Affine::of(norm);
    const auto s = doubles(scale).flatten();
    auto behind = Map::of(last).times(s);
    behind.b = behind.b + s * affine.shift;
    return {Map::of(first).after(affine), behind, 1.0 + s * affine.scale};
}

}  // namespace stl
