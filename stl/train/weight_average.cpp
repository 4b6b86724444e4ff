#include "stl/train/weight_average.h"

#include <algorithm>

#include "stl/core/error.h"

namespace stl {

WeightAverage::WeightAverage(const SimVP& model, double decay) {
    const torch::NoGradGuard no_grad;
    const auto parameters = model->named_parameters();
    for (const auto& [name, tensor] : state_of(*model)) {
        weights_.push_back(tensor.detach());
        average_.emplace_back(name, tensor.detach().clone());
        if (parameters.contains(name) || !tensor.is_floating_point()) continue;
        buffers_.push_back(weights_.back());
        buffer_average_.push_back(average_.back().second);
    }
    of_parameters_.decay = decay;
    for (const auto& parameter : parameters) {
        const auto own = std::ranges::find(average_, parameter.key(), &NamedTensors::value_type::first);
        parameters_.push_back(parameter.value().detach());
        of_parameters_.tensors.push_back(own->second);
    }
}

void WeightAverage::restart() {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < weights_.size(); ++i) average_[i].second.copy_(weights_[i]);
}

void WeightAverage::update() {
    const torch::NoGradGuard no_grad;
    torch::_foreach_lerp_(of_parameters_.tensors, parameters_, 1 - of_parameters_.decay);
    update_buffers();
}

void WeightAverage::update_buffers() {
    const torch::NoGradGuard no_grad;
    if (!buffers_.empty()) torch::_foreach_lerp_(buffer_average_, buffers_, 1 - of_parameters_.decay);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
        if (!weights_[i].is_floating_point()) average_[i].second.copy_(weights_[i]);
    }
}

void WeightAverage::load(const NamedTensors& state, const std::string& where) {
    const torch::NoGradGuard no_grad;
    for (auto& [name, tensor] : average_) {
        const auto stored =
            std::ranges::find(state, name, [](const auto& one) -> const std::string& { return one.first; });
        if (stored == state.end() || stored->second.sizes() != tensor.sizes())
            fail("{}: no average of {}, so the run cannot continue exactly", where, name);
        tensor.copy_(stored->second);
    }
}

WeightAverage::InModel::InModel(const WeightAverage& average) : model_(average.weights_) {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < model_.size(); ++i) {
        own_.push_back(model_[i].clone());
        model_[i].copy_(average.average_[i].second);
    }
}

WeightAverage::InModel::~InModel() {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < model_.size(); ++i) model_[i].copy_(own_[i]);
}

}  // namespace stl
