// A product by the kernels of fast inference, only to be timed.
#pragma once

#include <optional>

#include "stl/inference/cpu/layers.h"

namespace stl::inference {

class ProductTrial {
  public:
    /// [rows, inputs] times [inputs, outputs], of random factors. Their memory is taken by the first run.
    ProductTrial(Type precision, std::int64_t rows, std::int64_t inputs, std::int64_t outputs)
        : precision_(precision), rows_(rows), inputs_(inputs), outputs_(outputs) {}

    void run();

  private:
    Type precision_;
    std::int64_t rows_, inputs_, outputs_;
    std::optional<PointwisePlan> plan_;
    Workspace workspace_;
    torch::Tensor in_, out_;
};

}  // namespace stl::inference
