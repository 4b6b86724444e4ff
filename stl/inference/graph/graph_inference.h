// SimVP's inference on a GPU, made fast: the same results as SimVP::predict up to rounding, float32.
// x: [B,T,C,H,W].
//
// A copy of the network is made ready once: norms with fixed statistics are folded away, weights lie as
// convolutions read them and, in half precision, are narrowed once; layers run by kernels of our own where
// there are some. Passes over batches of a size that comes again and again are then one captured CUDA graph
// each. The model may be freed or changed afterwards without effect.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "stl/core/reporter.h"
#include "stl/gpu/kernel_table.h"
#include "stl/inference/inference.h"
#include "stl/models/simvp.h"
#include "stl/runtime/torch.h"

namespace stl {

/// Passes over batches of one size that run kernel by kernel before it gets a graph, which costs some: it may
/// come no more, as a last, smaller batch does.
inline constexpr int passes_before_graph = 3;
/// Sizes of batches that have a graph, each with memory of its own; further ones run kernel by kernel.
inline constexpr int most_inference_graphs = 4;

class GraphInference : public Inference {
  public:
    using MakeGraph = std::function<std::unique_ptr<gpu::Graph>()>;

    /// The model in evaluation mode, on any device. kernels: the device's; null where it has none. graphs: null where
    /// there are none. `reporter` gets one line if a pass cannot be captured; it has to live as long.
    GraphInference(const SimVPImpl& model, torch::Device device, const gpu::KernelTable* kernels,
                   Precision precision, MakeGraph graphs, Reporter& reporter);

    torch::Tensor forward(const torch::Tensor& x) override;
    bool overwrites() const override { return true; }

  private:
    /// Of the passes over batches of one shape.
    struct Passes {
        int made = 0;
        std::unique_ptr<gpu::Graph> graph;  ///< null: kernel by kernel
        torch::Tensor input, output;        ///< the graph's
    };
    torch::Tensor pass(const torch::Tensor& x);
    /// False where there is to be no graph.
    bool capture(Passes& passes, const torch::Tensor& x);

    SimVP network_;
    MakeGraph make_graph_;
    Reporter& reporter_;
    std::map<std::vector<std::int64_t>, Passes> passes_;
    int graphs_ = 0;
};

}  // namespace stl
