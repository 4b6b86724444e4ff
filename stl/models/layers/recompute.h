// Activation checkpointing: a layer keeps its input alone, and runs once more when the gradients are due.
// That saves memory for about a third more time; losses, gradients and running statistics stay as they are,
// bit for bit on a CPU.
//
// Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).
#pragma once

#include <functional>

#include "stl/runtime/torch.h"

namespace stl {

/// A layer that can do so. By default it does not.
struct HasRecomputation {
    bool recompute = false;
};

/// Sets it for every layer of `model`.
void set_recompute(torch::nn::Module& model, bool recompute);

using LayerFunction = std::function<torch::Tensor(const torch::Tensor&)>;

/// f(x), which uses the parameters and buffers of `layer` and draws from torch's default generator of x's
/// device. Going back, f runs again with the same draws, under the same autocast, and what it does to the
/// layer's buffers is undone. Where no gradients are recorded it is just f(x).
torch::Tensor recomputed(torch::nn::Module& layer, const torch::Tensor& x, const LayerFunction& f);

}  // namespace stl
