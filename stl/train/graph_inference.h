// A network's pass in evaluation as one captured graph, for batches of one size on a GPU.
#pragma once

#include <memory>

#include "stl/gpu/kernels.h"
#include "stl/models/simvp.h"
#include "stl/runtime/torch.h"

namespace stl {

class GraphInference {
  public:
    /// The model in evaluation mode, on the graph's device; `bf16`: automatic mixed precision. Its weights
    /// are read again at every pass.
    GraphInference(SimVP model, bool bf16, std::unique_ptr<gpu::Graph> graph);

    /// As SimVP's forward, float32. x: the first call's shape at every call; the result is overwritten by the
    /// next. Error: another shape; what a GPU cannot capture.
    torch::Tensor forward(const torch::Tensor& x);

  private:
    void work();

    SimVP model_;
    bool bf16_;
    std::unique_ptr<gpu::Graph> graph_;
    torch::Tensor input_, output_;
};

}  // namespace stl
