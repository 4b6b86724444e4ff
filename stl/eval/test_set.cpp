#include "stl/eval/test_set.h"

#include "stl/core/error.h"

namespace stl {

void take_hints(PredictorOptions& options, const std::string& file, const ReadOptions& reading) {
    const auto reader = open_sequences(file, reading);
    options.frame = reader->info().shape;
    options.normalization = stored_normalization(reader->info(), file);
}

DatasetOptions test_set_options(const TestSetOptions& a, const Predictor& predictor) {
    const auto where = a.data.empty() ? predictor.experiment_file().string() + ": dataset" : "--data";
    Json json;
    if (!a.data.empty()) {
        json = {{"name", "file"}, {"path", a.data}, {"input_frames", predictor.model().frames}};
        if (!a.layout.empty()) json["layout"] = a.layout;
    } else if (predictor.experiment().is_object() && predictor.experiment().contains("dataset")) {
        json = predictor.experiment()["dataset"];
        if (!json.is_object()) fail("{}: {} is no object {{...}}", where, to_line(json));
    } else {
        fail("{}: does not tell its data set; give a test set with --data FILE",
             predictor.checkpoint().string());
    }
    if (a.external.allowed && json.contains("name") && json["name"] == "file") json["allow_external"] = true;
    json["output_frames"] = a.frames > 0 ? a.frames : predictor.output_frames();
    return DatasetOptions::from_json(json, where);
}

std::unique_ptr<Dataset> open_test_set(const DatasetOptions& options) {
    auto data = make_dataset(options, Split::test, 0);
    if (data == nullptr) fail("{}: has no test set", options.where);
    return data;
}

}  // namespace stl
