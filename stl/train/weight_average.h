// An exponential moving average of a model's weights over the steps of its training (Polyak & Juditsky 1992).
#pragma once

#include <vector>

#include "stl/checkpoint/checkpoint.h"
#include "stl/models/simvp.h"
#include "stl/run/optimizer.h"
#include "stl/runtime/torch.h"

namespace stl {

/// Of parameters and buffers, on their device; it begins with those at hand. Whole-number buffers are taken as they are.
class WeightAverage {
  public:
    WeightAverage(const SimVP& model, double decay);

    /// From the weights at hand.
    void restart();
    /// After a step: average = decay * average + (1 - decay) * weights.
    void update();
    /// For a step that updates the averages of the parameters itself: those, in the order of the model's parameters.
    const ParameterAverages& of_parameters() const { return of_parameters_; }
    /// update() of everything else.
    void update_buffers();
    /// By the names that the model's state_of() has.
    const NamedTensors& state() const { return average_; }
    /// Error: names or shapes that are not the model's.
    void load(const NamedTensors& state, const std::string& where);

    /// While it lives, the model has the average; then, bit for bit, its own weights again.
    class InModel {
      public:
        explicit InModel(const WeightAverage& average);
        ~InModel();
        InModel(const InModel&) = delete;
        InModel& operator=(const InModel&) = delete;

      private:
        std::vector<torch::Tensor> model_, own_;
    };

  private:
    std::vector<torch::Tensor> weights_;  ///< the model's, in the order of average_
    NamedTensors average_;
    std::vector<torch::Tensor> parameters_;  ///< in the model's order, as their averages
    ParameterAverages of_parameters_;
    std::vector<torch::Tensor> buffers_, buffer_average_;  ///< floating-point ones
};

}  // namespace stl
