// On what and how a trained network computes: the same options wherever one is used.
#pragma once

#include <CLI/CLI.hpp>

#include "stl/eval/predictor.h"
#include "tools/console.h"

namespace stl::tools {

/// --device, --precision, --threads.
inline void add_compute_options(CLI::App& command, PredictorOptions& options) {
    command.add_option("--device", options.device, "cpu, cuda, cuda:<number> or auto")->capture_default_str();
    command
        .add_option("--precision", options.precision,
                    "fp32, or less exact and quicker: bf16 where the machine multiplies it, fp16 on a GPU")
        ->check(CLI::IsMember({"fp32", "bf16", "fp16"}))
        ->capture_default_str();
    command.add_option("--threads", options.threads, "CPU threads (default: all cores)")
        ->check(CLI::Range(0, 4096));
}

/// Says so where a network does not compute as it was asked to.
inline void warn_of_precision(const Predictor& predictor, const PredictorOptions& options, Console& console) {
    if (predictor.precision() != options.precision)
        console.warn("this processor multiplies no bfloat16: computed in " + predictor.precision());
}

}  // namespace stl::tools
