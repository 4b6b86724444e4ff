#include "stl/train/repeat.h"

#include <unordered_map>

#include "stl/core/error.h"
#include "stl/train/data_record.h"

namespace stl {
namespace {

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : to_line(value);
}

}  // namespace

Experiment experiment_of(const RunFolder& run) {
    auto experiment = load_experiment(run.experiment_file());
    const auto threads = value_of(run.run_record().value_or(Json()), "threads");
    if (threads.is_number_integer() && experiment.train.threads == 0)
        experiment.train.threads = threads.get<int>();
    check_options(experiment.train, run.run_file().string());
    return experiment;
}

std::vector<std::string> run_differences(const Json& before, const Json& now) {
    std::vector<std::string> lines;
    for (const char* key :
         {"version", "revision", "libtorch", "processor", "device", "precision", "threads"}) {
        const auto was = value_of(before, key), is = value_of(now, key);
        if (!was.is_null() && was != is)
            lines.push_back(fmt::format("{}: {}, now {}", key, text_of(was), text_of(is)));
    }
    if (auto data = data_difference(value_of(before, "trained_on"), value_of(now, "trained_on"));
        !data.empty())
        lines.push_back(std::move(data));
    return lines;
}

std::optional<std::int64_t> first_other_loss(const RunFolder& before, const RunFolder& now) {
    std::unordered_map<std::int64_t, Json> losses;
    for (const auto& line : before.read_metrics().lines) {
        if (line.contains("step")) losses[line["step"].get<std::int64_t>()] = line.value("loss", Json());
    }
    for (const auto& line : now.read_metrics().lines) {
        if (!line.contains("step")) continue;
        const auto step = line["step"].get<std::int64_t>();
        if (const auto found = losses.find(step);
            found != losses.end() && found->second != line.value("loss", Json()))
            return step;
    }
    return std::nullopt;
}

}  // namespace stl
