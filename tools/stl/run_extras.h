// What a run's folder shows besides its figures: samples/ and report.html.
#pragma once

#include <cstdint>
#include <string>

#include "stl/core/file.h"
#include "stl/core/reporter.h"
#include "stl/run/experiment.h"

namespace stl::tools {

/// RUN/samples/step-<step>.png: validation sequences (or, without any, training ones), their truth and what
/// the network's last weights predict. Failures are only warnings: the run itself is complete.
void write_samples(const fs::path& run, const Experiment& experiment, std::int64_t step,
                   const std::string& device, Reporter& reporter);

/// RUN/report.html: the run's learning curves, and its evaluation where there is one. Warnings as above.
void write_run_report(const fs::path& run, Reporter& reporter);

}  // namespace stl::tools
