// Fast inference of SimVP on a GPU: in float32, the same results as SimVP::predict up to rounding.
// x: [B,T,C,H,W].
//
// A copy of the network is prepared once: norms with fixed statistics are folded away, weights are stored in the order
// in which convolutions read them and, for half precision, converted once; layers use our own kernels where these
// exist. Passes with a batch size that recurs are then captured as one CUDA graph each. The model may be freed or
// changed afterwards without effect.
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

/// Passes with one batch size that run kernel by kernel before it gets a graph. Capturing has a cost, and the size may
/// not occur again, like that of a smaller last batch.
inline constexpr int passes_before_graph = 3;
/// The maximum number of batch sizes that get a graph, each with its own memory; further sizes run kernel by kernel.
inline constexpr int most_inference_graphs = 4;

class GraphInference : public Inference {
  public:
    using MakeGraph = std::function<std::unique_ptr<gpu::Graph>()>;

    /// The model in evaluation mode, on any device. kernels: the device's; null if it has none. graphs: null if
    /// graphs are not supported. `reporter` gets one line if a pass cannot be captured; it must outlive this object.
    GraphInference(const SimVPImpl& model, torch::Device device, const gpu::KernelTable* kernels,
                   Precision precision, MakeGraph graphs, Reporter& reporter);

    torch::Tensor forward(const torch::Tensor& x) override;
    bool overwrites() const override { return true; }

  private:
    /// The state of the passes for one shape of batches.
    struct Passes {
        int made = 0;
        std::unique_ptr<gpu::Graph> graph;  ///< null: kernel by kernel
        torch::Tensor input, output;        ///< the graph's
    };
    torch::Tensor pass(const torch::Tensor& x);
    /// False if this shape is not to have a graph.
    bool capture(Passes& passes, const torch::Tensor& x);

    SimVP network_;
    MakeGraph make_graph_;
    Reporter& reporter_;
    std::map<std::vector<std::int64_t>, Passes> passes_;
    int graphs_ = 0;
};

}  // namespace stl
