#include "stl/predict/predictor.h"

#include "stl/checkpoint/checkpoint.h"
#include "stl/checkpoint/infer.h"
#include "stl/core/error.h"
#include "stl/inference/inference.h"
#include "stl/run/normalizer.h"
#include "stl/runtime/device.h"

namespace stl {
namespace {

fs::path find_checkpoint(const PredictorOptions& options, std::optional<RunFolder>& run) {
    if (options.weights != "last" && options.weights != "best") {
        fail("weights '{}' are not known, expected last or best", options.weights);
    }
    const fs::path source(options.source);
    if (!fs::exists(split_checkpoint_name(source).file))
        fail("{}: no such run or checkpoint", source.string());
    if (fs::is_directory(source)) {
        run = RunFolder::open(source);
        return run->existing_checkpoint(options.weights);
    }
    return checkpoint_of(source, options.weights);
}

/// The configuration given in addition to the checkpoint, with the frame size of the data if neither specifies one.
Json hints_of(const PredictorOptions& options, const Checkpoint& checkpoint, const std::string& where) {
    Json hints = options.model_json.empty() ? Json(nullptr)
                                            : model_keys(read_json(options.model_json), options.model_json);
    const bool recorded = checkpoint.stl.is_object() && checkpoint.stl.contains("model");
    const bool known = recorded || !checkpoint.hyper_parameters.is_null() || hints.contains("in_shape");
    if (known || !options.frame) return hints;
    const auto inferred = infer_model(checkpoint.state, where);
    if (hints.is_null()) hints = Json::object();
    hints["in_shape"] = {inferred["in_shape"][0], inferred["in_shape"][1], options.frame->height,
                         options.frame->width};
    return hints;
}

/// What stl recorded in the checkpoint under a key; null where it did not.
Json recorded(const Checkpoint& checkpoint, const char* key) {
    return checkpoint.stl.is_object() ? checkpoint.stl.value(key, Json(nullptr)) : Json(nullptr);
}

double fps_of(const Checkpoint& checkpoint) {
    const auto fps = recorded(checkpoint, "fps");
    return fps.is_number() ? std::max(0.0, fps.get<double>()) : 0;
}

SimVPOptions resized(SimVPOptions model, const PredictorOptions& options, const std::string& where) {
    if (!options.size) return model;
    model.height = (*options.size)[0];
    model.width = (*options.size)[1];
    model.check(where);
    return model;
}

}  // namespace

struct Predictor::Parts {
    Parts(const PredictorOptions& options, Reporter* told) : file(find_checkpoint(options, run)) {
        auto& reporter = told != nullptr ? *told : silent;
        const auto where = file.string();
        const auto checkpoint = read_checkpoint(file, /*with_optimizer=*/false);
        for (const auto& note : checkpoint.notes) reporter.info(note);
        const auto hints_where = options.model_json.empty() ? where + ": model" : options.model_json;
        const auto model_configuration =
            resized(model_options(checkpoint, hints_of(options, checkpoint, where), where, hints_where),
                    options, where);
        device = open_device(options.device, reporter);
        set_threads(options.threads);
        model = model_configuration;
        SimVP network(model, Weights::unset);
        load_weights(*network, checkpoint.state, where);
        network->eval();
        for (auto& parameter : network->parameters()) parameter.requires_grad_(false);
        parameters = network->parameter_count();
        inference =
            make_inference(network, device, options.path, options.precision, reporter, options.kernels);
        epoch = checkpoint.epoch;
        trained_fps = fps_of(checkpoint);
        trained_range = ValueRange::from_json(recorded(checkpoint, "range"));
        experiment_file = run ? run->experiment_file() : file;
        if (run) {
            experiment = read_json(experiment_file);
        } else {
            experiment = recorded(checkpoint, "experiment");
        }
        auto normalization = options.normalization;
        if (experiment.is_object() && experiment.contains("dataset")) {
            normalization =
                Normalization::from_json(experiment["dataset"], experiment_file.string() + ": dataset")
                    .value_or(Normalization{});
        }
        normalization.check_channels(model_configuration.channels, where);
        normalizer = Normalizer(normalization, device);
    }

    std::optional<RunFolder> run;
    fs::path file;
    torch::Device device = torch::kCPU;
    SimVPOptions model;
    Reporter silent;
    std::unique_ptr<Inference> inference;
    std::int64_t parameters = 0;
    std::int64_t epoch = 0;
    double trained_fps = 0;
    std::optional<ValueRange> trained_range;
    Json experiment;
    fs::path experiment_file;
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
    return parts_->trained_fps;
}

const std::optional<ValueRange>& Predictor::trained_range() const {
    return parts_->trained_range;
}

std::int64_t Predictor::parameters() const {
    return parts_->parameters;
}
torch::Device Predictor::device() const {
    return parts_->device;
}
const Json& Predictor::experiment() const {
    return parts_->experiment;
}
const fs::path& Predictor::experiment_file() const {
    return parts_->experiment_file;
}
const RunFolder* Predictor::run() const {
    return parts_->run ? &*parts_->run : nullptr;
}
const fs::path& Predictor::checkpoint() const {
    return parts_->file;
}
std::int64_t Predictor::epoch() const {
    return parts_->epoch;
}

}  // namespace stl
