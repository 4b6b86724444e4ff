// The state of a run that several ranks train: rank 0 restores and saves it, the others get it from there.
#pragma once

#include <cstdint>

#include "stl/core/reporter.h"
#include "stl/distributed/group.h"
#include "stl/train/run_state.h"

namespace stl {

/// Gives all ranks what rank 0 has: weights, buffers, their average, the optimizer's state, progress. Of random numbers
/// each rank has its own: as `rank_random` of rank 0 has them, if it has any, else by `seed`, step and rank; rank 0 draws
/// as one device would. `reporter` is told where a run goes on with other ones than those it had.
void share_state(RunState& state, const Group& group, std::uint64_t seed, Reporter& reporter);
/// `rank_random` from all ranks, for a checkpoint.
void gather_random(RunState& state, const Group& group);
/// For a run of several ranks that goes on alone.
void forget_other_ranks(RunState& state, Reporter& reporter);

}  // namespace stl
