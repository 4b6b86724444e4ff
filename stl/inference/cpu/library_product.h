// A matrix product by LibTorch, in place of our own kernels where a Tuner finds it quicker.
#pragma once

#include "stl/cpu/packing.h"
#include "stl/inference/cpu/frame.h"
#include "stl/runtime/torch.h"

namespace stl::inference {

class LibraryProduct {
  public:
    /// weight: [outputs, inputs]; `outputs` and `inputs` choose and order its rows and columns, as in cpu::Panels.
    LibraryProduct(const torch::Tensor& weight, const torch::Tensor& bias, const cpu::Order& outputs,
                   const cpu::Order& inputs, Type precision);

    /// in * weight^T + bias -> out, floats. in: of the precision's type. Columns of `out` up to the padded outputs.
    void run(Pixels in, int rows, Pixels out) const;

  private:
    torch::Tensor turned_weight_;  ///< [inputs, padded outputs], of the precision's type
    torch::Tensor bias_;           ///< [padded outputs], float32
};

}  // namespace stl::inference
