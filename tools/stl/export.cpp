// stl export: a trained network for other programs, as ONNX or TorchScript.

#include "stl/export/export.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/export/onnx_graph.h"
#include "tools/stl/checks.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"

namespace stl::tools {
namespace {

struct ExportArguments {
    PredictorOptions predictor;
    std::string output;
    ExportOptions options;
    bool opset_given = false;
    bool no_fold = false;
    bool force = false;
};

void run_export(const ExportArguments& a, Console& console) {
    const fs::path output(a.output);
    const auto format = export_format(output);
    if (a.opset_given && format != ExportFormat::onnx)
        throw UsageError("--opset goes with .onnx, not with .pt");
    refuse_existing(output, a.force);
    auto trained = load_trained(a.predictor, console);
    auto options = a.options;
    options.fold = !a.no_fold;
    options.replace = a.force;
    const auto model = trained.network->options();
    export_network(std::move(trained), output, options);
    const auto frames = options.frames > 0 ? options.frames : model.predicted_frames();
    console.info(fmt::format(
        "{}: {} in {}; {} frames of {}x{}x{} in, {} out, any batch size; {}", a.output, model.translator,
        format == ExportFormat::onnx ? fmt::format("ONNX (opset {})", options.opset) : "TorchScript",
        model.frames, model.channels, model.height, model.width, frames, bytes_text(fs::file_size(output))));
}

}  // namespace

void add_export(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<ExportArguments>();
    auto& a = *arguments;
    auto* command =
        app.add_subcommand("export", "Write a trained network for other programs (ONNX, TorchScript)");
    command->add_option("SOURCE", a.predictor.source, "run folder or checkpoint (FILE or FILE:KEY)")
        ->required();
    add_checkpoint_options(*command, a.predictor.weights, a.predictor.model_json);
    begin_group(*command, "Output");
    command
        ->add_option(
            "-o,--output,--out", a.output,
            "file to write: .onnx (ONNX Runtime, OpenVINO, ...) or .pt (TorchScript, for torch.jit.load)")
        ->required();
    command
        ->add_option("--frames", a.options.frames,
                     "frames to predict (default: the model's; more are predicted from its own predictions)")
        ->check(positive);
    auto* opset = command->add_option("--opset", a.options.opset, "version of ONNX's operators")
                      ->check(CLI::Range(oldest_opset, newest_opset))
                      ->capture_default_str();
    command->add_flag("--half", a.options.half,
                      "store weights as bf16 (half the size; computed with as float32)");
    command->add_flag(
        "--no-fold", a.no_fold,
        "keep every norm, and the weights as they were trained (default: norms go into the weights)");
    command->add_flag("--force", a.force, "replace an existing output");
    add_examples(*command, {"stl export runs/mmnist-gsta --output gsta.onnx",
                            "stl export runs/mmnist-gsta --weights best --frames 20 --output gsta.pt",
                            "stl info gsta.onnx"});
    command->callback([arguments, opset, &console] {
        arguments->opset_given = opset->count() > 0;
        run_export(*arguments, console);
    });
}

}  // namespace stl::tools
