// Which network, on what and how it computes: the same options wherever one is used.
#pragma once

#include <CLI/CLI.hpp>

#include "stl/predict/predictor.h"
#include "tools/stl/console.h"

namespace stl::tools {

inline void add_device_option(CLI::App& command, std::string& device) {
    command
        .add_option("--device", device, "cpu, cuda, cuda:<number> or auto (a GPU if there is a usable one)")
        ->group("Compute")
        ->capture_default_str();
}
inline void add_threads_option(CLI::App& command, int& threads,
                               const char* help = "CPU threads (default: all cores)") {
    command.add_option("--threads", threads, help)->group("Compute")->check(CLI::Range(0, 4096));
}

/// An option whose values are the members of an enum.
template <class Enum, class Value>
CLI::Option* add_member_option(CLI::App& command, const std::string& name, Value& value,
                               const std::string& help) {
    return command
        .add_option_function<std::string>(
            name, [name, &value](const std::string& text) { value = member_named<Enum>(text, name + ":"); },
            help)
        ->check(
            CLI::IsMember(std::vector<std::string>(member_names<Enum>.begin(), member_names<Enum>.end())));
}

/// --no-tune. tuner: this machine's, or null.
inline void add_tune_option(CLI::App& command, std::shared_ptr<Tuner>& tuner) {
    // Of this command alone, and not where others run: it looks at the processor and reads a file.
    command.preparse_callback([&tuner](std::size_t) { tuner = std::make_shared<Tuner>(choices_file()); });
    command
        .add_flag_callback(
            "--no-tune", [&tuner] { tuner.reset(); },
            "CPU: always use stl's own kernels (default: whichever implementation is the quickest here, "
            "timed once and remembered; stl doctor shows the choices)")
        ->group("Compute");
}

/// --device, --precision, --threads, --no-tune.
inline void add_compute_options(CLI::App& command, PredictorOptions& options) {
    add_device_option(command, options.device);
    add_member_option<Precision>(command, "--precision", options.precision,
                                 "fp32, or faster and less exact: bf16 (CPUs with bfloat16 arithmetic and "
                                 "GPUs), tf32 or fp16 (GPUs only)")
        ->group("Compute")
        ->default_str(name_of(options.precision));
    add_threads_option(command, options.threads);
    add_tune_option(command, options.tuner);
}

/// --weights, --model: of a run or a checkpoint.
inline void add_checkpoint_options(CLI::App& command, std::string& weights, std::string& model_json) {
    command.add_option("--weights", weights, "which checkpoint of a run: last or best")
        ->group("Model")
        ->check(CLI::IsMember({"last", "best"}))
        ->capture_default_str();
    command
        .add_option("--model", model_json,
                    "model or experiment .json, for a checkpoint that does not contain its configuration")
        ->group("Model");
}

}  // namespace stl::tools
