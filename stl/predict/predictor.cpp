#include "stl/predict/predictor.h"

#include "stl/inference/inference.h"
#include "stl/predict/trained_network.h"
#include "stl/run/normalizer.h"
#include "stl/runtime/device.h"

namespace stl {

struct Predictor::Parts {
    Parts(const PredictorOptions& options, Reporter* told) : threads(options.threads) {
        auto& reporter = told != nullptr ? *told : silent;
        trained = load_trained(options, reporter);
        device = open_device(options.device, reporter);
        check_threads(threads);
        const ThreadScope scope(threads);
        model = trained.network->options();
        parameters = trained.network->parameter_count();
        auto precision = options.precision;
        if (options.tuner && device.is_cpu() && options.path == Path::fast && options.kernels == nullptr) {
            precision = quicker_precision(model, precision, *options.tuner);
            if (precision != options.precision)
                reporter.warn(name_of(options.precision) + " is slower than " + name_of(precision) +
                              " for this network on this CPU; computed in " + name_of(precision) +
                              " (--no-tune: as requested)");
        }
        inference = make_inference(std::move(trained.network), device, options.path, precision, reporter,
                                   options.kernels, options.tuner.get());
        normalizer = Normalizer(trained.normalization, device);
    }

    int threads;
    torch::Device device = torch::kCPU;
    SimVPOptions model;
    Reporter silent;
    TrainedNetwork trained;  ///< without the network itself
    std::unique_ptr<Inference> inference;
    std::int64_t parameters = 0;
    Normalizer normalizer;
};

Predictor::Predictor(const PredictorOptions& options, Reporter& reporter)
    : parts_(std::make_unique<Parts>(options, &reporter)) {}
Predictor::Predictor(const PredictorOptions& options) : parts_(std::make_unique<Parts>(options, nullptr)) {}
Predictor::~Predictor() = default;
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;

torch::Tensor Predictor::predict(const torch::Tensor& x, std::int64_t frames) {
    const torch::NoGradGuard no_grad;
    const ThreadScope scope(parts_->threads);
    const auto input = parts_->normalizer.apply(x.to(parts_->device, torch::kFloat32));
    const auto wanted = frames > 0 ? frames : output_frames();
    return parts_->normalizer.undo(parts_->inference->predict(input, wanted));
}

Precision Predictor::precision() const {
    return parts_->inference->precision();
}

const SimVPOptions& Predictor::model() const {
    return parts_->model;
}

std::int64_t Predictor::output_frames() const {
    return model().predicted_frames();
}

double Predictor::trained_fps() const {
    return parts_->trained.fps;
}

const std::optional<ValueRange>& Predictor::trained_range() const {
    return parts_->trained.range;
}

std::int64_t Predictor::parameters() const {
    return parts_->parameters;
}
torch::Device Predictor::device() const {
    return parts_->device;
}
const Json& Predictor::experiment() const {
    return parts_->trained.experiment;
}
const fs::path& Predictor::experiment_file() const {
    return parts_->trained.experiment_file;
}
const RunFolder* Predictor::run() const {
    return parts_->trained.run ? &*parts_->trained.run : nullptr;
}
const fs::path& Predictor::checkpoint() const {
    return parts_->trained.file;
}
std::int64_t Predictor::epoch() const {
    return parts_->trained.epoch;
}

}  // namespace stl
