#include "stl/predict/trained_network.h"

#include "stl/checkpoint/checkpoint.h"
#include "stl/checkpoint/infer.h"
#include "stl/core/error.h"
#include "stl/run/experiment.h"
#include "stl/run/settings.h"

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

double fps_of(const Checkpoint& checkpoint) {
    const auto fps = value_of(checkpoint.stl, "fps");
    return fps.is_number() ? std::max(0.0, fps.get<double>()) : 0;
}

/// Compares a run's experiment.json with what its checkpoint recorded. Files may have moved. An experiment that cannot be
/// read is left to those who need it, whose errors say more.
void warn_of_changes(const Json& experiment, Json trained, const fs::path& file, Reporter& reporter) {
    if (!trained.is_object() || !experiment.is_object()) return;
    auto now = experiment;
    for (auto* one : {&trained, &now}) for_each_path(*one, [](std::string& path) { path.clear(); });
    const auto changes = setting_changes(trained, now, Compared::earlier);
    if (changes.empty()) return;
    try {
        parse_experiment(experiment, file.string());
    } catch (const Error&) {
        return;
    }
    for (const auto& [key, was, is] : changes)
        reporter.warn(
            fmt::format("{}: {} is {}, but the network was trained with {}", file.string(), key, is, was));
}

SimVPOptions resized(SimVPOptions model, const PredictorOptions& options, const std::string& where) {
    if (!options.size) return model;
    model.height = (*options.size)[0];
    model.width = (*options.size)[1];
    model.check(where);
    return model;
}

}  // namespace

TrainedNetwork load_trained(const PredictorOptions& options, Reporter& reporter) {
    TrainedNetwork t;
    t.file = find_checkpoint(options, t.run);
    const auto where = t.file.string();
    const auto checkpoint = read_checkpoint(t.file, /*with_optimizer=*/false);
    for (const auto& note : checkpoint.notes) reporter.info(note);
    const auto hints_where = options.model_json.empty() ? where + ": model" : options.model_json;
    const auto model = resized(
        model_options(checkpoint, hints_of(options, checkpoint, where), where, hints_where), options, where);
    t.network = SimVP(model, Weights::unset);
    load_weights(*t.network, checkpoint.state, where);
    t.network->eval();
    for (auto& parameter : t.network->parameters()) parameter.requires_grad_(false);
    t.epoch = checkpoint.epoch;
    t.fps = fps_of(checkpoint);
    t.range = ValueRange::from_json(value_of(checkpoint.stl, "range"));
    t.experiment_file = t.run ? t.run->experiment_file() : t.file;
    t.experiment = value_of(checkpoint.stl, "experiment");
    if (t.run) {
        const auto trained_with = std::move(t.experiment);
        t.experiment = read_json(t.experiment_file);
        warn_of_changes(t.experiment, trained_with, t.experiment_file, reporter);
    }
    t.normalization = options.normalization;
    if (t.experiment.is_object() && t.experiment.contains("dataset")) {
        t.normalization =
            Normalization::from_json(t.experiment["dataset"], t.experiment_file.string() + ": dataset")
                .value_or(Normalization{});
    }
    t.normalization.check_channels(model.channels, where);
    return t;
}

}  // namespace stl
