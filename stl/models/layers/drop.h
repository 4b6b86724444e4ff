// Stochastic depth: a residual branch is left out for some samples while training.
//
// branch: [B,...]. Each sample's branch is kept with probability 1 - rate and then divided by it; in
// evaluation nothing happens. Draws come from torch's default generator of the tensor's device. Source: Huang
// et al., "Deep Networks with Stochastic Depth" (ECCV 2016).
#pragma once

#include "stl/runtime/torch.h"

namespace stl {

/// What each sample's branch is multiplied with, 0 or 1 / (1 - rate): [B,1,...] of type `type`.
torch::Tensor draw_kept(const torch::Tensor& branch, double rate, torch::Dtype type);

torch::Tensor drop_path(const torch::Tensor& branch, double rate, bool training);

}  // namespace stl
