#include "stl/train/validate.h"

#include "stl/core/error.h"
#include "stl/data/loader.h"
#include "stl/train/batches.h"

namespace stl {
namespace {

/// Evaluation mode for as long as it lives.
class Evaluating {
  public:
    explicit Evaluating(const SimVP& model) : model_(model), was_training_(model->is_training()) {
        model_->eval();
    }
    ~Evaluating() { model_->train(was_training_); }
    Evaluating(const Evaluating&) = delete;
    Evaluating& operator=(const Evaluating&) = delete;

  private:
    SimVP model_;
    bool was_training_;
};

}  // namespace

Validation validate(SimVP model, const Dataset& data, std::int64_t batch_size, torch::Device device,
                    const Normalizer& normalizer, const StopRequested& stop, const Group* group) {
    const std::int64_t rank = rank_in(group), ranks = size_of(group);
    const torch::NoGradGuard no_grad;
    const Evaluating mode(model);
    LoaderOptions loading;
    loading.batch_size = std::min(batch_size, data.size());
    loading.shuffle = false;
    loading.threads = loader_threads(device);
    loading.allocate = batch_allocator(device);
    loading.stride = ranks;
    Loader loader(data, loading, 0, rank);
    const auto frames = model->options().frames;
    MetricOptions measuring;
    measuring.range = other_than_unit(data.range());
    MetricAccumulator metrics(measuring);
    Validation result;
    for (std::int64_t first = 0; first < loader.batches_per_epoch(); first += ranks) {
        if (stop && stop()) throw Interrupted("validation was interrupted");
        if (first + rank >= loader.batches_per_epoch()) break;
        const auto batch = split_batch(loader.next(), data.shape(), frames, device);
        const auto [input, target] = normalized(batch, normalizer);
        const auto prediction = model->predict(input, target.size(1));
        result.loss += torch::mse_loss(prediction, target).item<double>() * double(input.size(0));
        metrics.add(normalizer.undo(prediction), batch.target);
    }
    if (group != nullptr) {
        merge_ranks(metrics, *group);
        result.loss = group->total(result.loss);
    }
    result.loss /= static_cast<double>(data.size());
    result.metrics = metrics.value();
    return result;
}

}  // namespace stl
