// stl convert: a checkpoint in another format, or with its configuration in it.

#include "stl/checkpoint/checkpoint.h"
#include "stl/checkpoint/infer.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/run/run_folder.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"

namespace stl::tools {
namespace {

struct ConvertArguments {
    std::string input;
    std::string output;
    std::string model;
    std::string weights = "last";
    bool half = false;
    bool weights_only = false;
    bool force = false;
};

/// The configuration goes into the file, checked against the weights. Where it can't be told of a SimVP, and none
/// was given, the file goes without.
void record_model(Checkpoint& checkpoint, const ConvertArguments& arguments, const std::string& where,
                  Console& console) {
    const auto hints = arguments.model.empty() ? Json(nullptr) : read_json(arguments.model);
    std::optional<SimVPOptions> options;
    try {
        options = model_options(checkpoint, hints, where, arguments.model);
    } catch (const Error& error) {
        const bool recorded = checkpoint.stl.is_object() && checkpoint.stl.contains("model");
        if (!hints.is_null() || recorded || !has_encoder(checkpoint.state)) throw;
        console.info(
            fmt::format("the checkpoint is written without the model's configuration: {}", error.what()));
        return;
    }
    SimVPImpl model(*options, Weights::unset);
    load_weights(model, checkpoint.state, where);
    if (!checkpoint.stl.is_object()) checkpoint.stl = Json::object();
    checkpoint.stl["model"] = options->to_json();
}

void run_convert(const ConvertArguments& arguments, Console& console) {
    refuse_existing(arguments.output, arguments.force);
    const fs::path output(arguments.output);
    const auto extension = lower_case(output.extension().string());
    if (extension != ".pth" && extension != ".pt" && extension != ".safetensors") {
        fail("{}: unknown format '{}', expected .pth, .pt or .safetensors", arguments.output, extension);
    }
    const bool safetensors = extension == ".safetensors";
    const auto input = checkpoint_of(arguments.input, arguments.weights);
    auto checkpoint = read_checkpoint(input, !arguments.weights_only && !safetensors);
    for (const auto& note : checkpoint.notes) console.info(note);
    record_model(checkpoint, arguments, input.string(), console);
    write_checkpoint(output, checkpoint, {.half = arguments.half, .replace = arguments.force});
    const bool state_kept = checkpoint.optimizer.has_value();
    console.info(fmt::format("{}: {} tensors, {}{}", arguments.output, checkpoint.state.size(),
                             bytes_text(fs::file_size(output)),
                             state_kept ? ", with the optimizer's state" : ", weights only"));
}

}  // namespace

void add_convert(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<ConvertArguments>();
    auto& a = *arguments;
    auto* command =
        app.add_subcommand("convert", "Write a checkpoint in another format (.pth, .safetensors)");
    command
        ->add_option(
            "IN", a.input,
            "run folder or checkpoint: .pth, .ckpt, .safetensors (FILE:KEY takes the weights under KEY, "
            "e.g. model.pth:model_ema)")
        ->required();
    command
        ->add_option("OUT", a.output, "file to write: .pth (opens in Python) or .safetensors (weights only)")
        ->required();
    add_checkpoint_options(*command, a.weights, a.model);
    begin_group(*command, "Output");
    command->add_flag("--half", a.half, "store floating-point weights as bf16");
    command->add_flag("--weights-only", a.weights_only, "leave out the state of optimizer and schedule");
    command->add_flag("--force", a.force, "replace an existing output");
    add_examples(*command, {"stl convert runs/mmnist-gsta gsta.safetensors",
                            "stl convert model.pth:model_ema ema.pth --weights-only"});
    command->callback([arguments, &console] { run_convert(*arguments, console); });
}

}  // namespace stl::tools
