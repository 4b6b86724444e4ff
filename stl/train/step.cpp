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
        optimizer_.zero_grad();
        const auto loss = forward_loss(model_, batch, options_);
        if (check) check(loss);
        loss.backward();
        if (options_.clip_norm > 0) optimizer_.clip_gradients(options_.clip_norm);
        optimizer_.step(settings.lr, settings.beta1);
        return loss.detach();
    }

  private:
    SimVP model_;
    Optimizer& optimizer_;
    const TrainOptions& options_;
};

}  // namespace

TrainBatch normalized(const TrainBatch& batch, const Normalizer& normalizer) {
    return {normalizer.apply(batch.input), normalizer.apply(batch.target)};
}

torch::Tensor training_loss(const torch::Tensor& prediction, const torch::Tensor& target, double alpha) {
    auto loss = torch::mse_loss(prediction, target);
    if (alpha > 0) loss = loss + alpha * differential_divergence(prediction, target);
    return loss;
}

torch::Tensor forward_loss(SimVP& model, const TrainBatch& batch, const TrainOptions& options) {
    const Autocast autocast(batch.input.device().type(), product_type(options.precision));
    const auto prediction = model->predict(batch.input, batch.target.size(1));
    return training_loss(prediction.to(torch::kFloat32), batch.target, options.alpha);
}

std::unique_ptr<TrainStep> make_plain_step(SimVP model, Optimizer& optimizer, const TrainOptions& options) {
    return std::make_unique<PlainStep>(std::move(model), optimizer, options);
}

}  // namespace stl
