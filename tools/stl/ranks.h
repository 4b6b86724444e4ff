// Several processes that work on one command together, as a launcher or --devices starts them.
#pragma once

#include <functional>

#include "stl/distributed/group.h"
#include "tools/stl/command.h"

namespace stl::tools {

struct RankOptions {
    int devices = 0;       ///< --devices; 0: as the launcher says
    double patience = 60;  ///< --rank-timeout, in seconds
};
/// --devices, --rank-timeout.
void add_rank_options(CLI::App& command, RankOptions& options);

/// Does `work` with the ranks that the launcher started; with null where this process is alone. The console of the ranks
/// behind the first is silent. A failure that all ranks find is told once; after another, the rank that failed names
/// itself and ends the others.
///
/// A process that is alone and is to be several (--devices) runs its command again under mpirun, and ends as that does.
void with_ranks(const RankOptions& options, Console& console, const std::function<void(Group* group)>& work);

}  // namespace stl::tools
