// Repeating a run exactly: from its experiment, and what is not as it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/run/experiment.h"
#include "stl/run/run_folder.h"

namespace stl {

/// The run's experiment with the number of threads that it had, on which the last bits depend.
Experiment experiment_of(const RunFolder& run);

/// What differs between two runs' records (run.json), a line each: "processor: AMD ..., now Intel ..."; versions, the
/// machine, the data. Nothing is said about what the earlier one does not record.
std::vector<std::string> run_differences(const Json& before, const Json& now);

/// The first step that both runs logged with another loss; nothing: there is none.
std::optional<std::int64_t> first_other_loss(const RunFolder& before, const RunFolder& now);

}  // namespace stl
