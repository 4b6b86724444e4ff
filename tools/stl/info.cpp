// stl info: what a network costs, layer by layer; of an exported file, what it is.

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/data/registry.h"
#include "stl/models/complexity.h"
#include "stl/run/experiment.h"
#include "stl/run/run_folder.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"
#include "tools/stl/exported_info.h"

namespace stl::tools {
namespace {

struct InfoArguments {
    std::string source;
    std::string model_json;
    std::string weights = "last";
    std::vector<std::string> settings;
    int depth = 3;
    bool json = false;
};

/// Of an experiment, or of a model's configuration in a file of its own.
SimVP model_of_json(const InfoArguments& a) {
    std::vector<Setting> settings;
    for (const auto& text : a.settings) settings.push_back(parse_setting(text));
    if (!a.model_json.empty()) throw UsageError("--model applies only to checkpoints, not to JSON files");
    if (a.weights != "last") throw UsageError("--weights applies only to runs, not to JSON files");
    Origins origins;
    const auto json = read_experiment_json(a.source, settings, &origins);
    if (json.is_object() && json.contains("in_shape")) {
        return SimVP(SimVPOptions::from_json(model_keys(json, a.source), a.source), Weights::unset);
    }
    const auto experiment = parse_experiment(json, a.source, std::move(origins));
    return SimVP(experiment.model_for(dataset_shape(experiment.dataset)), Weights::unset);
}

/// Weights that do not fit the configuration are an error.
SimVP model_of_checkpoint(const fs::path& file, const InfoArguments& a, Console& console) {
    if (!a.settings.empty()) throw UsageError("--set applies only to experiments, not to checkpoints");
    const auto checkpoint = read_checkpoint(file, /*with_optimizer=*/false);
    for (const auto& note : checkpoint.notes) console.info(note);
    const auto hints = a.model_json.empty() ? Json(nullptr) : read_json(a.model_json);
    SimVP model(model_options(checkpoint, hints, file.string(), a.model_json), Weights::unset);
    load_weights(*model, checkpoint.state, file.string());
    return model;
}

SimVP model_of(const InfoArguments& a, Console& console) {
    const fs::path source(a.source);
    if (!fs::exists(split_checkpoint_name(source).file))
        fail("{}: no such experiment, run or checkpoint", a.source);
    // A checkpoint is never read from a pipe.
    const bool json = fs::is_fifo(source) || (source.extension() == ".json" && !fs::is_directory(source));
    return json ? model_of_json(a) : model_of_checkpoint(checkpoint_of(source, a.weights), a, console);
}

std::uint64_t float_bytes(std::int64_t elements) {
    return 4 * static_cast<std::uint64_t>(elements);
}

Json to_json(const SimVPImpl& model, const LayerCost& cost, const InfoArguments& a) {
    Json layers = Json::array();
    for (const auto& [path, layer] : layer_rows(cost, a.depth)) {
        if (path.empty()) continue;
        layers.push_back({{"name", path},
                          {"operation", layer->operation},
                          {"parameters", layer->parameters},
                          {"macs", layer->macs},
                          {"parameter_bytes", float_bytes(layer->parameters)},
                          {"activation_bytes", float_bytes(layer->activations)}});
    }
    return {{"model", model.options().to_json()},
            {"parameters", cost.parameters},
            {"macs", cost.macs},
            {"macs_evaluation", model_cost(model, Counting::evaluation).macs},
            {"parameter_bytes", float_bytes(cost.parameters)},
            {"activation_bytes", float_bytes(cost.activations)},
            {"layers", layers}};
}

/// 46,777,065
std::string grouped(std::int64_t count) {
    const auto digits = std::to_string(count);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
        text += digits[i];
    }
    return text;
}

void print_table(const SimVPImpl& model, const LayerCost& cost, const InfoArguments& a, Console& console) {
    const auto& o = model.options();
    console.print(fmt::format("{}: {} of {} frames, {}x{}x{}", a.source, o.translator, o.frames, o.channels,
                              o.height, o.width));
    const auto rows = layer_rows(cost, a.depth);
    std::size_t width = 10;
    for (const auto& row : rows) width = std::max(width, row.path.size());
    console.print(fmt::format("{:<{}}  {:>15}  {:>19}  {:>12}  {:>12}", "layer", width, "parameters",
                              "multiply-adds", "weights", "activations"));
    for (const auto& [path, layer] : rows) {
        console.print(fmt::format("{:<{}}  {:>15}  {:>19}  {:>12}  {:>12}", path.empty() ? "all" : path,
                                  width, grouped(layer->parameters), grouped(layer->macs),
                                  bytes_text(float_bytes(layer->parameters)),
                                  bytes_text(float_bytes(layer->activations))));
    }
    console.print(
        "For one sequence and one pass in float32. Multiply-adds are counted as fvcore does in training "
        "mode; "
        "activations are the outputs of the layers.");
}

void run_info(const InfoArguments& a, Console& console) {
    if (const auto exported = read_exported(a.source)) {
        if (!a.settings.empty()) throw UsageError("--set goes with an experiment, not with an exported file");
        if (!a.model_json.empty())
            throw UsageError("--model goes with a checkpoint, not with an exported file");
        if (a.weights != "last") throw UsageError("--weights goes with a run, not with an exported file");
        if (a.json) return console.print(exported_json(*exported));
        return print_exported(*exported, a.source, console);
    }
    const auto model = model_of(a, console);
    const auto cost = model_cost(*model);
    if (a.json) {
        console.print(to_json(*model, cost, a));
    } else {
        print_table(*model, cost, a, console);
    }
}

}  // namespace

void add_info(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<InfoArguments>();
    auto& a = *arguments;
    auto* command = app.add_subcommand(
        "info", "Show a network's parameters, multiply-adds and memory, layer by layer; or an exported file");
    command
        ->add_option(
            "SOURCE", a.source,
            "experiment or model file (.json), run folder, checkpoint (FILE or FILE:KEY), or exported file "
            "(.onnx, .pt)")
        ->required();
    add_checkpoint_options(*command, a.weights, a.model_json);
    begin_group(*command, "Model");
    command
        ->add_option("--set", a.settings,
                     "KEY=VALUE: override a key of the experiment, e.g. model.N_T=4 (repeatable)")
        ->allow_extra_args(false);
    begin_group(*command, "Output");
    command->add_option("--depth", a.depth, "levels of nested layers to show")
        ->check(CLI::Range(0, 100))
        ->capture_default_str();
    command->add_flag("--json", a.json, "print JSON");
    add_examples(*command, {"stl info experiments/mmnist/moganet.json", "stl info runs/mmnist-gsta --depth 2",
                            "stl info gsta.onnx"});
    command->callback([arguments, &console] { run_info(*arguments, console); });
}

}  // namespace stl::tools
