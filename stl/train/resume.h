// Resuming a run: which settings must be unchanged, and from which checkpoint it continues.
#pragma once

#include <optional>
#include <string>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/json.h"
#include "stl/core/reporter.h"
#include "stl/run/run_folder.h"

namespace stl {

/// `resolved`: the complete experiment. Error: a setting that would change the losses differs from the folder's
/// experiment.json.
void require_settings(const RunFolder& folder, const Json& resolved);
/// The same for the experiment recorded in the checkpoint, comparing only keys that both have (so that runs of
/// earlier versions can continue). Error: the checkpoint belongs to a different run.
void require_own(const Checkpoint& checkpoint, const Json& resolved, const std::string& where);

/// Whether a run without a last checkpoint may start over: it was interrupted before writing its first one, and has at
/// most the best weights and the log line of the first epoch.
bool may_start_over(const RunFolder& folder, const Metrics& metrics);

struct LastCheckpoint {
    fs::path path;
    Checkpoint checkpoint;
};
/// "lines are missing at its end: ..." or "step 7 stands twice" where the log is not what it was when the checkpoint was
/// written, with or without more lines; empty where it is, and for checkpoints that do not record its size.
std::string log_difference(const Metrics& log, const Checkpoint& checkpoint);
/// Where a checkpoint's record has the size of the log.
inline constexpr const char* log_bytes_key = "log_bytes";

/// The newest of the last checkpoints that is intact; warns if newer ones are missing or damaged. Nullopt if there are
/// none at all. Error: all are damaged.
std::optional<LastCheckpoint> newest_checkpoint(const RunFolder& folder, Reporter& reporter);

}  // namespace stl
