// Converts between stored values and the network's: the only place where normalisation is applied and undone.
#pragma once

#include "stl/data/normalization.h"
#include "stl/runtime/torch.h"

namespace stl {

/// Tensors are [B,T,C,H,W]. Without mean and standard deviation, both functions return their argument.
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
