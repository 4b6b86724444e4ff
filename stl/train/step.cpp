#include "stl/train/step.h"

#include <algorithm>

#include "stl/models/translators/tau.h"
#include "stl/runtime/autocast.h"

namespace stl {
namespace {

class PlainStep : public TrainStep {
  public:
    PlainStep(SimVP model, Optimizer& optimizer, const TrainOptions& options, WeightAverage* weights,
              GradientAverage* average)
        : model_(std::move(model)),
          optimizer_(optimizer),
          options_(options),
          weights_(weights),
          average_(average) {}

    torch::Tensor operator()(const TrainBatch& batch, const ScheduleValue& settings,
                             const LossCheck& check) override {
        const Tf32 tf32(options_.precision == Precision::tf32);
        auto loss = compute_gradients(model_, optimizer_, batch, options_, check, average_);
        optimizer_.step(settings.lr, settings.beta1);
        if (weights_ != nullptr) weights_->update();
        return loss;
    }

  private:
    SimVP model_;
    Optimizer& optimizer_;
    const TrainOptions& options_;
    WeightAverage* weights_;
    GradientAverage* average_;
};

torch::Tensor forward_loss(SimVP& model, const TrainBatch& batch, const TrainOptions& options) {
    const Autocast autocast(batch.input.device().type(), product_type(options.precision));
    const auto prediction = model->predict(batch.input, batch.target.size(1));
    return training_loss(prediction.to(torch::kFloat32), batch.target, options.alpha);
}

}  // namespace

TrainBatch normalized(const TrainBatch& batch, const Normalizer& normalizer) {
    return {normalizer.apply(batch.input), normalizer.apply(batch.target)};
}

torch::Tensor training_loss(const torch::Tensor& prediction, const torch::Tensor& target, double alpha) {
    auto loss = torch::mse_loss(prediction, target);
    if (alpha > 0) loss = loss + alpha * differential_divergence(prediction, target);
    return loss;
}

torch::Tensor add_gradients(SimVP& model, const TrainBatch& batch, const TrainOptions& options,
                            const TrainStep::LossCheck& check, GradientAverage* average) {
    const auto size = batch.input.size(0);
    const auto parts = std::clamp<std::int64_t>(options.accumulate.value_or(1), 1, size);
    torch::Tensor whole;
    for (std::int64_t part = 0; part < parts; ++part) {
        const auto begin = size * part / parts, count = size * (part + 1) / parts - begin;
        auto loss =
            parts == 1
                ? forward_loss(model, batch, options)
                : forward_loss(model,
                               {batch.input.narrow(0, begin, count), batch.target.narrow(0, begin, count)},
                               options) *
                      (static_cast<double>(count) / static_cast<double>(size));
        whole = part == 0 ? loss.detach() : whole + loss.detach();
        const bool last = part == parts - 1;
        if (last && check) check(whole);
        if (last && average != nullptr) {
            average->backward(loss);
        } else {
            loss.backward();
        }
    }
    return whole;
}

torch::Tensor compute_gradients(SimVP& model, Optimizer& optimizer, const TrainBatch& batch,
                                const TrainOptions& options, const TrainStep::LossCheck& check,
                                GradientAverage* average) {
    optimizer.zero_grad();
    auto loss = add_gradients(model, batch, options, check, average);
    if (options.clip_norm > 0) optimizer.clip_gradients(options.clip_norm);
    return loss;
}

std::unique_ptr<TrainStep> make_plain_step(SimVP model, Optimizer& optimizer, const TrainOptions& options,
                                           WeightAverage* weights, GradientAverage* average) {
    return std::make_unique<PlainStep>(std::move(model), optimizer, options, weights, average);
}

}  // namespace stl
