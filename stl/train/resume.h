// Going on with a run: how far it has come, and what has to be as it was.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/json.h"
#include "stl/core/reporter.h"
#include "stl/run/run_folder.h"

namespace stl {

/// How far a run has come; its checkpoints keep it under "stl".
struct Standing {
    std::int64_t step = 0;  ///< steps done
    double epoch_sum = 0;   ///< of the losses of the epoch that is under way
    double seconds = 0;     ///< of all steps
    double best_loss = std::numeric_limits<double>::infinity();
    bool validation_pending = false;  ///< of the epoch that `step` ends

    /// Adds its keys to a checkpoint's record.
    void add_to(Json& record) const;
};

/// Of a checkpoint with an optimizer's state. Another program's, without a record of ours, tells its steps alone.
/// Error: a step beyond `total_steps`, no number of steps, a record without what an exact continuation needs.
Standing read_standing(const Checkpoint& checkpoint, std::int64_t total_steps, const std::string& where);

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
