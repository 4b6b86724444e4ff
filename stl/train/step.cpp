#include "stl/train/step.h"

#include "stl/models/translators/tau.h"
#include "stl/runtime/autocast.h"

namespace stl {
namespace {

class PlainStep : public TrainStep {
  public:
    PlainStep(SimVP model, Optimizer& optimizer, const TrainOptions& options)
        : model_(std::move(model)), optimizer_(optimizer), options_(options) {}

    torch::Tensor operator()(const TrainBatch& batch, const ScheduleValue& settings,
                             const LossCheck& check) override {
        const Tf32 tf32(options_.precision == Precision::tf32);
        auto loss = compute_gradients(model_, optimizer_, batch, options_, check);
        optimizer_.step(settings.lr, settings.beta1);
        return loss;
    }

  private:
    SimVP model_;
    Optimizer& optimizer_;
    const TrainOptions& options_;
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

torch::Tensor compute_gradients(SimVP& model, Optimizer& optimizer, const TrainBatch& batch,
                                const TrainOptions& options, const TrainStep::LossCheck& check) {
    optimizer.zero_grad();
    const auto loss = forward_loss(model, batch, options);
    if (check) check(loss);
    loss.backward();
    if (options.clip_norm > 0) optimizer.clip_gradients(options.clip_norm);
    return loss.detach();
}

std::unique_ptr<TrainStep> make_plain_step(SimVP model, Optimizer& optimizer, const TrainOptions& options) {
    return std::make_unique<PlainStep>(std::move(model), optimizer, options);
}

}  // namespace stl
