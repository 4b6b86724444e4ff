// Optimizers over a model's parameters, in the order of its named parameters.
//
// To add one: a line in optimizer.cpp's list with the function that makes one step, and its name in the row `optimizer`
// of docs/experiments.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/options.h"
#include "stl/gpu/kernel_table.h"
#include "stl/runtime/torch.h"

namespace stl {

struct OptimizerOptions {
    std::string name = "adam";
    double lr = 1e-3;
    std::array<double, 2> betas{0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = 0.0;  ///< adam: L2 term in the gradient; adamw: decoupled

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key);
};

/// What one step needs. Parameters without a gradient are not in it.
struct OptimizerTensors {
    std::vector<torch::Tensor> parameters;
    std::vector<torch::Tensor> gradients;
    std::vector<torch::Tensor> exp_avgs;     ///< first moment (sgd: the momentum buffer)
    std::vector<torch::Tensor> exp_avg_sqs;  ///< second moment (sgd: undefined)
    std::vector<torch::Tensor> steps;        ///< float32 scalars on the parameters' device
    std::vector<torch::Tensor> averages;     ///< of the parameters; empty: the optimizer keeps none
    double average_decay = 0;
};

/// Averages of an optimizer's parameters, in their order, that its step on a device updates with them.
struct ParameterAverages {
    std::vector<torch::Tensor> tensors;
    double decay = 0;
};

struct OptimizerEntry {
    std::string name;
    std::string help;
    bool adaptive;   ///< keeps second moments and counts steps
    bool decoupled;  ///< weight_decay acts on the parameters, not through the gradients
    void (*step)(OptimizerTensors& tensors, const OptimizerOptions& options, double lr, double beta1);
    /// The same, by one of our own kernels, with lr and beta1 in device memory; null: no such kernel.
    void (*step_on_device)(OptimizerTensors& tensors, const OptimizerOptions& options,
                           const torch::Tensor& settings, const gpu::KernelTable& kernels);
};
const std::vector<OptimizerEntry>& optimizers();
const OptimizerEntry& find_optimizer(std::string_view name, std::string_view where);

template <class Options, class Visit>
void OptimizerOptions::each(Options& o, Visit&& key) {
    key("optimizer", o.name, one_of("optimizer", names_of(optimizers())), "optimization algorithm");
    key("lr", o.lr, positive(), "learning rate; if the schedule changes it, its largest value");
    key("betas", o.betas, fraction(),
        "decay rates of Adam's moment estimates; sgd: the first is the momentum");
    key("eps", o.eps, not_negative(), "added to Adam's denominator for numerical stability");
    key("weight_decay", o.weight_decay, not_negative(),
        "weight decay; adam, sgd: L2 term in the gradients; adamw: decoupled");
}

class Optimizer {
  public:
    /// `parameters`: leaves that require gradients. The state is allocated here, on their devices.
    Optimizer(std::vector<torch::Tensor> parameters, OptimizerOptions options);

    /// One step with the current gradients; `beta1`, if the schedule changes it, replaces betas[0] of the options.
    void step(double lr, std::optional<double> beta1 = std::nullopt);
    /// The same step with lr and beta1 read from `settings` [2] (float32, on the parameters' device) when the
    /// kernel runs, so that a captured graph sees them change; call used() afterwards to record their values.
    /// averages: null: none.
    void step_on_device(const torch::Tensor& settings, const gpu::KernelTable& kernels,
                        const ParameterAverages* averages = nullptr);
    bool has_step_on_device() const { return entry_->step_on_device != nullptr; }
    void used(double lr, std::optional<double> beta1);
    const OptimizerOptions& options() const { return options_; }
    void zero_grad();
    /// Scales all gradients so that their global norm is at most `max_norm`; returns the norm before scaling.
    torch::Tensor clip_gradients(double max_norm);

    /// The state as torch.optim stores it; `lr` and `beta1` are those of the last step.
    OptimizerState state() const;
    /// Error if the number of parameters or a shape differs.
    void load(const OptimizerState& state, const std::string& where);

  private:
    /// Of the parameters that have a gradient.
    OptimizerTensors tensors(const ParameterAverages* averages = nullptr) const;

    OptimizerOptions options_;
    const OptimizerEntry* entry_;
    std::vector<torch::Tensor> parameters_;
    std::vector<torch::Tensor> exp_avgs_;
    std::vector<torch::Tensor> exp_avg_sqs_;
    std::vector<torch::Tensor> steps_;
    double last_lr_ = 0;
    double last_beta1_ = 0;
};

}  // namespace stl
