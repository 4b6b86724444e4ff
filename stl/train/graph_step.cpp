#include "stl/train/graph_step.h"

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/gpu/plugin.h"
#include "stl/runtime/autocast.h"
#include "stl/runtime/device.h"

namespace stl {
namespace {

class GraphStep : public TrainStep {
  public:
    GraphStep(SimVP model, Optimizer& optimizer, const TrainOptions& options, const gpu::KernelTable& kernels,
              std::unique_ptr<gpu::Graph> graph, Reporter& reporter, WeightAverage* weights)
        : model_(model),
          optimizer_(optimizer),
          options_(options),
          kernels_(kernels),
          graph_(std::move(graph)),
          reporter_(reporter),
          weights_(weights),
          plain_(make_plain_step(model, optimizer, options, weights)) {}

    torch::Tensor operator()(const TrainBatch& batch, const ScheduleValue& settings,
                             const LossCheck& check) override {
        const Tf32 tf32(options_.precision == Precision::tf32);
        if (check || !place(batch)) return (*plain_)(batch, settings, check);
        set(settings);
        if (warm_ups_ < graph_warm_up_steps) {
            graph_->warm_up([this] { work(); });
            ++warm_ups_;
        } else {
            if (!captured_ && !capture()) return (*plain_)(batch, settings, check);
            graph_->replay();
        }
        optimizer_.used(settings.lr, settings.beta1);
        return loss_.clone();  // the next step overwrites it
    }

  private:
    /// Into the graph's own buffers; false where it does not fit.
    bool place(const TrainBatch& batch) {
        if (graph_ == nullptr) return false;
        if (!batch_.input.defined()) {
            batch_ = {torch::empty_like(batch.input, torch::MemoryFormat::Contiguous),
                      torch::empty_like(batch.target, torch::MemoryFormat::Contiguous)};
            settings_ = torch::empty({2}, torch::TensorOptions(batch.input.device()));
        }
        if (batch.input.sizes() != batch_.input.sizes() || batch.target.sizes() != batch_.target.sizes())
            return false;
        batch_.input.copy_(batch.input, /*non_blocking=*/true);
        batch_.target.copy_(batch.target, /*non_blocking=*/true);
        return true;
    }

    /// As arguments of two small kernels: nothing of the host's memory has to live on until they run.
    void set(const ScheduleValue& settings) {
        settings_[0].fill_(settings.lr);
        settings_[1].fill_(settings.beta1.value_or(optimizer_.options().betas[0]));
    }

    void work() {
        loss_ = compute_gradients(model_, optimizer_, batch_, options_);
        optimizer_.step_on_device(settings_, kernels_, weights_ ? &weights_->of_parameters() : nullptr);
        if (weights_ != nullptr) weights_->update_buffers();
    }

    bool capture() {
        // Memory from outside the graph's pool must not hold its gradients or its loss.
        optimizer_.zero_grad();
        loss_.reset();
        try {
            graph_->capture([this] { work(); });
            captured_ = true;
        } catch (const std::exception& error) {
            if (is_out_of_memory(error)) throw;
            graph_.reset();
            optimizer_.zero_grad();
            const std::string text = error.what();
            reporter_.warn("the training step cannot be captured as a graph, it runs kernel by kernel: " +
                           first_line(text));
        }
        return captured_;
    }

    SimVP model_;
    Optimizer& optimizer_;
    const TrainOptions& options_;
    const gpu::KernelTable& kernels_;
    std::unique_ptr<gpu::Graph> graph_;
    Reporter& reporter_;
    WeightAverage* weights_;
    std::unique_ptr<TrainStep> plain_;
    TrainBatch batch_;
    torch::Tensor settings_, loss_;
    int warm_ups_ = 0;
    bool captured_ = false;
};

}  // namespace

std::unique_ptr<TrainStep> make_graph_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           const gpu::KernelTable& kernels, std::unique_ptr<gpu::Graph> graph,
                                           Reporter& reporter, WeightAverage* weights) {
    if (!optimizer.has_step_on_device())
        fail("{}: has no step that can be captured as a graph", optimizer.options().name);
    return std::make_unique<GraphStep>(std::move(model), optimizer, options, kernels, std::move(graph),
                                       reporter, weights);
}

std::unique_ptr<TrainStep> make_train_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           Reporter& reporter, WeightAverage* weights) {
    const auto device = model->parameters().front().device();
    if (!device.is_cuda()) return make_plain_step(std::move(model), optimizer, options, weights);
    const auto* kernels = gpu::kernels_for(device);
    std::string problem = kernels == nullptr ? gpu::why_no_kernels() : "";
    if (problem.empty() && !optimizer.has_step_on_device())
        problem = fmt::format("{} has no step with its numbers on the device", optimizer.options().name);
    if (problem.empty()) {
        reporter.info("training steps on " + device.str() + ": one CUDA graph per step, stl's own kernels");
        return make_graph_step(std::move(model), optimizer, options, *kernels, kernels->make_graph(),
                               reporter, weights);
    }
    reporter.warn("training steps on " + device.str() + " run kernel by kernel: " + problem);
    return make_plain_step(std::move(model), optimizer, options, weights);
}

}  // namespace stl
