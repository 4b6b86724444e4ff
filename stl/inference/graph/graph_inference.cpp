#include "stl/inference/graph/graph_inference.h"

#include <ATen/Context.h>

#include <optional>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/models/translators/block.h"
#include "stl/ops/gpu_operations.h"
#include "stl/runtime/autocast.h"

namespace stl {
namespace {

void copy_tensors(std::vector<torch::Tensor> to, const std::vector<torch::Tensor>& from) {
    for (std::size_t i = 0; i < from.size(); ++i) to[i].copy_(from[i]);
}

SimVP copy_of(const SimVPImpl& model, torch::Device device) {
    SimVP copy(model.options(), Weights::unset);
    copy->eval();
    copy->to(device);
    for (auto& p : copy->parameters()) p.requires_grad_(false);
    copy_tensors(copy->parameters(), model.parameters());
    copy_tensors(copy->buffers(), model.buffers());
    return copy;
}

/// Filters of a depthwise convolution, [C,1,K,K], in the order [K,K,C] in which our kernel reads them.
torch::Tensor by_taps(const torch::Tensor& filters) {
    return filters.permute({2, 3, 1, 0}).contiguous().permute({3, 2, 0, 1});
}

/// The weights of products as they are read, so that no pass has to turn or cast them.
void lay_out(torch::nn::Module& network, const gpu::KernelTable* kernels, torch::Dtype type) {
    const auto narrow = [type](torch::Tensor weight) {
        if (weight.defined()) weight.set_data(weight.to(type));
    };
    for (const auto& module : network.modules()) {
        if (const auto* convolution = module->as<Conv2d>()) {
            const auto c = convolution->convolution();
            if (kernels != nullptr && c.is_depthwise() && gpu::has_depthwise(c.kernel(), c.dilation)) {
                torch::Tensor filters = convolution->weight;
                filters.set_data(by_taps(filters));
                continue;
            }
            narrow(convolution->weight);
            narrow(convolution->bias);
        } else if (const auto* linear = module->as<Linear>()) {
            narrow(linear->weight);
            narrow(linear->bias);
        }
    }
}

SimVP made_ready(const SimVPImpl& model, torch::Device device, const gpu::KernelTable* kernels,
                 torch::Dtype type) {
    if (model.is_training()) fail("fast inference needs a model in evaluation mode");
    const torch::NoGradGuard no_grad;
    auto network = copy_of(model, device);
    network->hid->fold();
    if (kernels != nullptr)
        set_operations(*network, std::make_shared<ops::GpuOperations>(*kernels, device.type()));
    set_channels_last(*network);
    lay_out(*network, kernels, type);
    return network;
}

/// In this scope cuDNN times its algorithms for a convolution that it has not seen.
class ComparesAlgorithms {
  public:
    ComparesAlgorithms() : before_(at::globalContext().benchmarkCuDNN()) {
        at::globalContext().setBenchmarkCuDNN(true);
    }
    ~ComparesAlgorithms() { at::globalContext().setBenchmarkCuDNN(before_); }
    ComparesAlgorithms(const ComparesAlgorithms&) = delete;
    ComparesAlgorithms& operator=(const ComparesAlgorithms&) = delete;

  private:
    bool before_;
};

}  // namespace

GraphInference::GraphInference(const SimVPImpl& model, torch::Device device, const gpu::KernelTable* kernels,
                               Precision precision, MakeGraph graphs, Reporter& reporter)
    : Inference(device, precision),
      network_(made_ready(model, device, kernels, product_type(precision))),
      make_graph_(std::move(graphs)),
      reporter_(reporter) {}

torch::Tensor GraphInference::pass(const torch::Tensor& x) {
    const Autocast autocast(device().type(), product_type(precision()));
    return network_->forward(x).to(torch::kFloat32);
}

torch::Tensor GraphInference::forward(const torch::Tensor& x) {
    const torch::NoGradGuard no_grad;
    const Tf32 tf32(precision() == Precision::tf32);
    auto& passes = passes_[x.sizes().vec()];
    // cuDNN keeps what it first chose for a convolution: the size that comes first, and most likely again, is
    // compared from its first pass on.
    std::optional<ComparesAlgorithms> compares;
    if (make_graph_ && passes_.size() == 1 && passes.made == 0) compares.emplace();
    if (passes.graph == nullptr && (++passes.made <= passes_before_graph || !capture(passes, x)))
        return pass(x);
    passes.input.copy_(x, /*non_blocking=*/true);
    passes.graph->replay();
    return passes.output;
}

bool GraphInference::capture(Passes& passes, const torch::Tensor& x) {
    if (!make_graph_ || graphs_ == most_inference_graphs) return false;
    try {
        passes.input = torch::empty_like(x, torch::MemoryFormat::Contiguous).copy_(x);
        auto graph = make_graph_();
        const auto work = [this, &passes] { passes.output = pass(passes.input); };
        for (int i = 0; i < gpu::graph_warm_ups; ++i) graph->warm_up(work);
        passes.output.reset();
        graph->capture(work);
        passes.graph = std::move(graph);
        ++graphs_;
    } catch (const std::exception& error) {
        passes.input.reset();
        passes.output.reset();
        make_graph_ = nullptr;
        const std::string text = error.what();
        reporter_.warn("a pass cannot be captured as a graph, it runs kernel by kernel: " + first_line(text));
    }
    return passes.graph != nullptr;
}

}  // namespace stl
