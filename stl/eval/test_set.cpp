#include "stl/eval/test_set.h"

#include "stl/core/error.h"
#include "stl/train/data_record.h"

namespace stl {

void take_hints(PredictorOptions& options, const DataFile& file, const ReadOptions& reading) {
    const auto reader = open_sequences(file, reading);
    options.frame = reader->info().shape;
    options.normalization = stored_normalization(reader->info(), file.string());
}

DatasetOptions test_set_options(const TestSetOptions& a, const Predictor& predictor) {
    const auto where = a.data.empty() ? predictor.experiment_file().string() + ": dataset" : "--data";
    Json json;
    if (!a.data.empty()) {
        json = {{"name", "file"}, {"path", a.data.string()}, {"input_frames", predictor.model().frames}};
        if (!a.layout.empty()) json["layout"] = a.layout;
    } else if (predictor.experiment().is_object() && predictor.experiment().contains("dataset")) {
        json = predictor.experiment()["dataset"];
        if (!json.is_object()) fail("{}: {} is not an object {{...}}", where, to_line(json));
    } else {
        fail("{}: does not record the data set; give a test set with --data FILE",
             predictor.checkpoint().string());
    }
    if (a.external.allowed && json.contains("name") && json["name"] == "file") json["allow_external"] = true;
    json["output_frames"] = a.frames > 0 ? a.frames : predictor.output_frames();
    return DatasetOptions::from_json(json, where);
}

std::string trained_on(const Dataset& test_set, const Predictor& predictor) {
    const auto files = test_set.files();
    const auto& experiment = predictor.experiment();
    if (test_set.marks_split() || files.empty() || !experiment.is_object()) return "";
    const auto dataset = experiment.value("dataset", Json::object());
    const auto path = dataset.is_object() ? dataset.value("path", "") : "";
    std::error_code unknown;
    if (path.empty() || !fs::equivalent(DataFile(path).path, files.front(), unknown)) return "";
    return fmt::format("{}: does not mark splits, so the network was trained on these test sequences", path);
}

std::vector<std::string> changed_files(const Dataset& test_set, const Predictor& predictor) {
    std::vector<std::string> lines;
    if (predictor.run() == nullptr) return lines;
    const auto record = stored_data_record(*predictor.run());
    const auto split = test_set.split_record();
    for (const auto& file : test_set.files()) {
        if (auto line = file_difference(record, file, &split); !line.empty())
            lines.push_back(std::move(line));
    }
    return lines;
}

std::unique_ptr<Dataset> open_test_set(const DatasetOptions& options) {
    auto data = make_dataset(options, Split::test, 0);
    if (data == nullptr) fail("{}: has no test set", options.where);
    return data;
}

}  // namespace stl
