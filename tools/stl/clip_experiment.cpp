#include "tools/stl/clip_experiment.h"

#include <algorithm>
#include <array>

#include "stl/bench/work.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/formats/sequences.h"
#include "stl/import/inspect.h"
#include "stl/models/complexity.h"
#include "stl/runtime/device.h"
#include "stl/train/plan.h"

namespace stl::tools {
namespace {

struct Scale {
    std::string name;
    int hid_S, hid_T, N_S, N_T;
    std::int64_t sequences;  ///< fewer are learned by heart
};
/// From the smallest on; the last is that of the published tables.
const std::array scales{Scale{"small", 16, 64, 2, 2, 0}, Scale{"medium", 32, 128, 4, 4, 200},
                        Scale{"large", 64, 512, 4, 8, 2000}};

Json experiment_json(const ClipTraining& t, const SequenceInfo& info, std::int64_t training,
                     const Scale& scale) {
    constexpr std::int64_t sequences_to_see = 10'000;
    const auto input = (info.shape.frames + 1) / 2;
    const auto batch = std::clamp<std::int64_t>(training, 1, 8);
    const auto epochs =
        std::clamp<std::int64_t>(sequences_to_see / std::max<std::int64_t>(training, 1), 10, 100);
    Json dataset{{"name", "file"},
                 {"path", DataFile(fs::absolute(t.data.path).lexically_normal(), t.data.dataset).string()},
                 {"input_frames", input},
                 {"output_frames", info.shape.frames - input}};
    if (t.external.allowed) dataset["allow_external"] = true;
    if (!t.layout.empty()) dataset["layout"] = t.layout;
    return {{"dataset", dataset},
            {"model",
             {{"translator", "gsta"},
              {"hid_S", scale.hid_S},
              {"hid_T", scale.hid_T},
              {"N_S", scale.N_S},
              {"N_T", scale.N_T}}},
            {"train", {{"epochs", epochs}, {"batch_size", batch}}}};
}

double macs_of(const Experiment& experiment, const SequenceShape& shape) {
    return static_cast<double>(model_cost(SimVPImpl(experiment.model_for(shape), Weights::unset)).macs);
}

double seconds_per_step(const Experiment& experiment, const SequenceShape& shape, torch::Device device) {
    BenchOptions options;
    options.model = experiment.model_for(shape);
    options.batch = experiment.train.batch_size;
    options.device = device;
    const auto& work = find_bench_work("train");
    const Path path = has_fast_path(options, work) ? Path::fast : Path::plain;
    return time_cases({work.make(options, path)}, device, /*warmup=*/1, /*repeats=*/2, [] {}).front().best;
}

}  // namespace

Experiment clip_experiment(const ClipTraining& t, const std::vector<Setting>& settings, Reporter& reporter) {
    const auto reader = open_sequences(t.data, {.layout = t.layout, .external = t.external});
    const SequenceInfo& info = reader->info();
    const std::string where = t.data.string();
    if (info.shape.frames < 2)
        fail("{}: sequences of {}, expected at least 2: what is seen and what is predicted", where,
             counted(info.shape.frames, "frame"));
    const auto splits = count_splits(*reader);
    const bool marked = splits[0] + splits[1] + splits[2] > 0;
    const auto training = marked ? splits[0] : info.count;
    if (training == 0)
        fail("{}: none of its {} is marked for training", where, counted(info.count, "sequence"));
    const auto experiment_for = [&](const Scale& scale) {
        return experiment_of(experiment_json(t, info, training, scale), where, settings);
    };
    if (!t.scale.empty()) return experiment_for(find_named(scales, t.scale, "scale"));

    constexpr double patience = 3600;
    const auto device = open_device(t.device, reporter);
    const Experiment smallest = experiment_for(scales.front());
    const double step = seconds_per_step(smallest, info.shape, device), macs = macs_of(smallest, info.shape);
    const auto steps = planned_schedule(smallest, training, smallest.train.batch_size).total_steps;
    for (auto scale = scales.rbegin(); scale != scales.rend(); ++scale) {
        const Experiment experiment = experiment_for(*scale);
        const double expected = step * macs_of(experiment, info.shape) / macs * static_cast<double>(steps);
        const bool fits = expected <= patience && training >= scale->sequences;
        if (!fits && scale->name != scales.front().name) continue;
        reporter.info(fmt::format("scale {}: about {} on {} (--scale small, medium or large chooses another)",
                                  scale->name, time_text(expected), device.str()));
        return experiment;
    }
    return smallest;
}

}  // namespace stl::tools
