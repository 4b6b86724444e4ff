// Going on with a run: what has to be as it was, and from which checkpoint.
#pragma once

#include <optional>
#include <string>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/json.h"
#include "stl/core/reporter.h"
#include "stl/run/run_folder.h"

namespace stl {

/// `resolved`: the experiment, complete. Error: a setting of the folder's experiment.json that would change the
/// losses is another.
void require_settings(const RunFolder& folder, const Json& resolved);
/// Likewise of the experiment that the checkpoint was made by, of the keys that both know (so that a run of an
/// earlier version goes on). Error: it is another run's.
void require_own(const Checkpoint& checkpoint, const Json& resolved, const std::string& where);

/// Whether a run without a last checkpoint may start over: it was interrupted before its first one, of whose epoch it
/// has no more than the best weights and the line.
bool may_start_over(const RunFolder& folder);

struct LastCheckpoint {
    fs::path path;
    Checkpoint checkpoint;
};
/// The newest last checkpoint that is whole; warns of a newer one that is missing or damaged. Nothing where there are
/// none at all. Error: all are damaged.
std::optional<LastCheckpoint> newest_checkpoint(const RunFolder& folder, Reporter& reporter);

}  // namespace stl
