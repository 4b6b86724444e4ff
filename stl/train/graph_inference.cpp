#include "stl/train/graph_inference.h"

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/runtime/autocast.h"
#include "stl/train/graph_step.h"

namespace stl {

GraphInference::GraphInference(SimVP model, bool bf16, std::unique_ptr<gpu::Graph> graph)
    : model_(std::move(model)), bf16_(bf16), graph_(std::move(graph)) {}

void GraphInference::work() {
    const torch::NoGradGuard no_grad;
    const Autocast autocast(input_.device().type(), bf16_);
    output_ = model_->forward(input_).to(torch::kFloat32);
}

torch::Tensor GraphInference::forward(const torch::Tensor& x) {
    if (!input_.defined()) {
        input_ = torch::empty_like(x, torch::MemoryFormat::Contiguous).copy_(x);
        for (int i = 0; i < graph_warm_up_steps; ++i) graph_->warm_up([this] { work(); });
        output_.reset();
        graph_->capture([this] { work(); });
    }
    if (x.sizes() != input_.sizes()) {
        fail("the graph takes {}, not {}", to_string(input_.sizes().vec()), to_string(x.sizes().vec()));
    }
    input_.copy_(x, /*non_blocking=*/true);
    graph_->replay();
    return output_;
}

}  // namespace stl
