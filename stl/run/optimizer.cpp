#include "stl/run/optimizer.h"

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/gpu/optimize.h"

namespace stl {
namespace {

void adam(OptimizerTensors& t, const OptimizerOptions& o, double lr, double beta1) {
    torch::_foreach_add_(t.steps, 1);
    at::_fused_adam_(t.parameters, t.gradients, t.exp_avgs, t.exp_avg_sqs, {}, t.steps, lr, beta1, o.betas[1],
                     o.weight_decay, o.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void adamw(OptimizerTensors& t, const OptimizerOptions& o, double lr, double beta1) {
    torch::_foreach_add_(t.steps, 1);
    at::_fused_adamw_(t.parameters, t.gradients, t.exp_avgs, t.exp_avg_sqs, {}, t.steps, lr, beta1,
                      o.betas[1], o.weight_decay, o.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void adam_on_device(OptimizerTensors& t, const OptimizerOptions& o, const torch::Tensor& settings,
                    const gpu::KernelTable& kernels, bool decoupled) {
    torch::_foreach_add_(t.steps, 1);
    gpu::adam({t.parameters, t.gradients, t.exp_avgs, t.exp_avg_sqs, t.steps, t.averages},
              {o.betas[1], o.eps, o.weight_decay, decoupled, t.average_decay}, settings, kernels);
}

void adam_on_device(OptimizerTensors& t, const OptimizerOptions& o, const torch::Tensor& settings,
                    const gpu::KernelTable& kernels) {
    adam_on_device(t, o, settings, kernels, /*decoupled=*/false);
}

void adamw_on_device(OptimizerTensors& t, const OptimizerOptions& o, const torch::Tensor& settings,
                     const gpu::KernelTable& kernels) {
    adam_on_device(t, o, settings, kernels, /*decoupled=*/true);
}

/// Nesterov's momentum, beta1 being the momentum; the buffer starts at the first gradient, as
/// torch.optim.SGD's does.
void sgd(OptimizerTensors& t, const OptimizerOptions& o, double lr, double beta1) {
    torch::_foreach_add_(t.steps, 1);
    auto gradients =
        o.weight_decay == 0 ? t.gradients : torch::_foreach_add(t.gradients, t.parameters, o.weight_decay);
    torch::_foreach_mul_(t.exp_avgs, beta1);
    torch::_foreach_add_(t.exp_avgs, gradients);
    const auto ahead = torch::_foreach_add(gradients, t.exp_avgs, beta1);
    torch::_foreach_add_(t.parameters, ahead, -lr);
}

}  // namespace

const std::vector<OptimizerEntry>& optimizers() {
    static const std::vector<OptimizerEntry> list{
        {"adam", "Kingma & Ba 2015, fused; weight_decay is an L2 term", true, false, adam, adam_on_device},
        {"adamw", "Loshchilov & Hutter 2019, fused; weight_decay is decoupled", true, true, adamw,
         adamw_on_device},
        {"sgd", "stochastic gradient descent with Nesterov momentum betas[0]", false, false, sgd, nullptr},
    };
    return list;
}

const OptimizerEntry& find_optimizer(std::string_view name, std::string_view where) {
    return find_named(optimizers(), name, "optimizer", where);
}

Optimizer::Optimizer(std::vector<torch::Tensor> parameters, OptimizerOptions options)
    : options_(std::move(options)),
      entry_(&find_optimizer(options_.name, "train.optimizer")),
      parameters_(std::move(parameters)) {
    const torch::NoGradGuard no_grad;
    for (const auto& p : parameters_) {
        exp_avgs_.push_back(torch::zeros_like(p, torch::MemoryFormat::Preserve));
        exp_avg_sqs_.push_back(entry_->adaptive ? torch::zeros_like(p, torch::MemoryFormat::Preserve)
                                                : torch::Tensor());
        steps_.push_back(torch::zeros({}, p.options().dtype(torch::kFloat32).requires_grad(false)));
    }
}

void Optimizer::step(double lr, std::optional<double> beta1) {
    const torch::NoGradGuard no_grad;
    used(lr, beta1);
    auto with_gradients = tensors();
    if (with_gradients.parameters.empty()) return;
    entry_->step(with_gradients, options_, lr, last_beta1_);
}

void Optimizer::step_on_device(const torch::Tensor& settings, const gpu::KernelTable& kernels,
                               const ParameterAverages* averages) {
    const torch::NoGradGuard no_grad;
    if (!has_step_on_device()) fail("{}: has no step with its numbers on the device", options_.name);
    auto with_gradients = tensors(averages);
    if (with_gradients.parameters.empty()) return;
    entry_->step_on_device(with_gradients, options_, settings, kernels);
}

void Optimizer::used(double lr, std::optional<double> beta1) {
    last_lr_ = lr;
    last_beta1_ = beta1.value_or(options_.betas[0]);
}

OptimizerTensors Optimizer::tensors(const ParameterAverages* averages) const {
    OptimizerTensors tensors;
    if (averages != nullptr) tensors.average_decay = averages->decay;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const auto& gradient = parameters_[i].grad();
        if (!gradient.defined()) continue;
        tensors.parameters.push_back(parameters_[i]);
        tensors.gradients.push_back(gradient);
        tensors.exp_avgs.push_back(exp_avgs_[i]);
        tensors.exp_avg_sqs.push_back(exp_avg_sqs_[i]);
        tensors.steps.push_back(steps_[i]);
        if (averages != nullptr) tensors.averages.push_back(averages->tensors.at(i));
    }
    return tensors;
}

void Optimizer::zero_grad() {
    for (auto& p : parameters_) p.mutable_grad().reset();
}

torch::Tensor Optimizer::clip_gradients(double max_norm) {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> gradients;
    for (const auto& p : parameters_) {
        if (p.grad().defined()) gradients.push_back(p.grad());
    }
    const auto norm = torch::stack(torch::_foreach_norm(gradients)).norm();
    torch::_foreach_mul_(gradients, torch::clamp_max(max_norm / (norm + 1e-6), 1.0));
    return norm;
}

OptimizerState Optimizer::state() const {
    OptimizerState state;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        state.parameters.push_back({steps_[i].item<double>(), exp_avgs_[i], exp_avg_sqs_[i]});
    }
    state.group = {{"lr", last_lr_}, {"weight_decay", options_.weight_decay}, {"initial_lr", options_.lr}};
    if (entry_->adaptive) {
        state.group.update({{"betas", {last_beta1_, options_.betas[1]}},
                            {"eps", options_.eps},
                            {"decoupled_weight_decay", entry_->decoupled}});
    } else {
        state.group.update({{"momentum", last_beta1_}, {"nesterov", true}});
    }
    return state;
}

void Optimizer::load(const OptimizerState& state, const std::string& where) {
    const torch::NoGradGuard no_grad;
    if (state.parameters.size() != parameters_.size()) {
        fail("{}: optimizer state of {} parameters, the model has {}", where, state.parameters.size(),
             parameters_.size());
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const auto& stored = state.parameters[i];
        steps_[i].fill_(stored.step);
        if (!stored.exp_avg.defined()) {
            exp_avgs_[i].zero_();
            if (entry_->adaptive) exp_avg_sqs_[i].zero_();
            continue;
        }
        if (entry_->adaptive && !stored.exp_avg_sq.defined()) {
            fail("{}: optimizer state of SGD, the optimizer is {}", where, options_.name);
        }
        if (stored.exp_avg.sizes() != parameters_[i].sizes()) {
            fail("{}: optimizer state {} has shape {}, the parameter {}", where, i,
                 c10::str(stored.exp_avg.sizes()), c10::str(parameters_[i].sizes()));
        }
        exp_avgs_[i].copy_(stored.exp_avg);
        if (entry_->adaptive) exp_avg_sqs_[i].copy_(stored.exp_avg_sq);
    }
}

}  // namespace stl
