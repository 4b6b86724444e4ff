// Between the stored range and the network's: the one place where mean and deviation are applied and undone.
#pragma once

#include "stl/data/normalization.h"
#include "stl/runtime/torch.h"

namespace stl {

/// Tensors are [B,T,C,H,W]. Without mean and deviation both functions give back what they get.
class Normalizer {
  public:
    Normalizer() = default;
    Normalizer(const Normalization& normalization, torch::Device device);

    /// (x - mean) / std
    torch::Tensor apply(const torch::Tensor& x) const;
    /// y * std + mean
    torch::Tensor undo(const torch::Tensor& y) const;

  private:
    torch::Tensor mean_, deviation_;  ///< [C,1,1], or [1,1,1]; undefined: nothing to do
};

}  // namespace stl
