#include "stl/eval/record.h"

#include <ATen/Parallel.h>

#include "stl/core/digest.h"
#include "stl/core/error.h"
#include "stl/core/version.h"
#include "stl/eval/published.h"
#include "stl/models/complexity.h"

namespace stl {
namespace {

/// experiment.train.seed, and the like; null where it is not.
Json inside(const Json& json, std::initializer_list<const char*> keys) {
    const Json* place = &json;
    for (const char* key : keys) {
        if (!place->is_object() || !place->contains(key)) return nullptr;
        place = &(*place)[key];
    }
    return *place;
}

/// Of a run: on what it was trained, by which build, and how long.
Json training_of(const RunFolder* run) {
    const auto record = run != nullptr ? run->run_record() : std::nullopt;
    if (!record) return nullptr;
    Json training = Json::object();
    for (const auto* key : {"state", "device", "threads", "revision", "started"})
        training[key] = inside(*record, {key});
    const auto seconds = inside(*record, {"seconds"});
    training["hours"] = seconds.is_number() ? Json(seconds.get<double>() / 3600) : Json(nullptr);
    return training;
}

void require_finished(const Json& training, const Predictor& predictor) {
    const auto state = inside(training, {"state"});
    if (state == "finished") return;
    fail("{}: cannot be recorded, its training is not finished (state {})", predictor.checkpoint().string(),
         state.is_string() ? state.get<std::string>() : "not known");
}

}  // namespace

void require_finished(const Predictor& predictor) {
    require_finished(training_of(predictor.run()), predictor);
}

Json evaluation_document(const Predictor& predictor, const std::string& weights,
                         const Evaluation& evaluation) {
    const auto& experiment = predictor.experiment();
    Json document = evaluation.to_json();
    document["dataset"] = inside(experiment, {"dataset", "name"});
    document["translator"] = predictor.model().translator;
    const bool by_steps = !inside(experiment, {"train", "steps"}).is_null();
    document[by_steps ? "steps" : "epochs"] = inside(experiment, {"train", by_steps ? "steps" : "epochs"});
    document["seed"] = inside(experiment, {"train", "seed"});
    document["checkpoint"] = predictor.checkpoint().string();
    document["weights"] = predictor.run() != nullptr ? Json(weights) : Json(nullptr);
    document["epoch"] = predictor.epoch();
    document["parameters"] = predictor.parameters();
    document["macs"] = model_cost(SimVPImpl(predictor.model(), Weights::unset)).macs;
    document["device"] = predictor.device().str();
    document["precision"] = name_of(predictor.precision());
    document["threads"] = at::get_num_threads();
    document["revision"] = revision();
    document["training"] = training_of(predictor.run());
    const auto experiments = experiments_folder();
    // The published figures are sums over a frame.
    const bool comparable = experiments && !evaluation.metric_options.spatial_norm;
    document["published"] = comparable ? published_row(experiment, *experiments) : Json(nullptr);
    document["experiment"] = experiment;
    return document;
}

Json record_document(Json document, const Predictor& predictor, const std::vector<fs::path>& data_files,
                     const std::optional<Evaluation>& best, std::int64_t best_epoch) {
    require_finished(inside(document, {"training"}), predictor);
    if (document[leading_metric().key].is_null()) {
        fail("{}: cannot be recorded: its {} is not finite", predictor.checkpoint().string(),
             leading_metric().title);
    }
    document["data_files"] = Json::array();
    for (const auto& file : data_files) {
        document["data_files"].push_back({{"path", file.string()}, {"sha256", sha256_file(file)}});
    }
    document["best"] = nullptr;
    if (best) {
        document["best"] = best->metrics.to_json(best->metric_options);
        document["best"]["epoch"] = best_epoch;
    }
    return document;
}

fs::path record_file(const fs::path& results, const Predictor& predictor) {
    const auto dataset = inside(predictor.experiment(), {"dataset", "name"});
    if (predictor.run() == nullptr || !dataset.is_string()) {
        fail("{}: only a run can be recorded (a folder with experiment.json)",
             predictor.checkpoint().string());
    }
    return results / dataset.get<std::string>() / (predictor.run()->name() + ".json");
}

}  // namespace stl
