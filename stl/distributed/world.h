// Which of several processes this one is, as the launcher says in the environment.
#pragma once

#include <functional>
#include <string>

namespace stl {

/// A process is one rank.
struct World {
    int rank = 0, size = 1;
    int local_rank = 0, local_size = 1;  ///< among the ranks of this machine
    std::string launcher{};              ///< "mpirun", "srun", "mpiexec", "torchrun"; empty: none
    bool speaks_mpi = false;             ///< the launcher sets up MPI

    bool alone() const { return size == 1; }
    /// "rank 1 of 4"
    std::string name() const;
};

/// Reads a variable; null where it is not set. std::getenv by default.
using Environment = std::function<const char*(const char* name)>;

/// By torchrun's RANK, WORLD_SIZE and LOCAL_RANK, Open MPI's OMPI_COMM_WORLD_*, SLURM_PROCID with
/// SLURM_STEP_NUM_TASKS (which srun sets, unlike a batch script), or PMI_RANK and PMI_SIZE; in this order. Alone without
/// them. Error: a number that cannot be, e.g. "RANK: 4, expected 0 to 3 (WORLD_SIZE is 4)".
World world_from(const Environment& environment);
World world_from_environment();

/// The threads that one rank computes with by default: the machine's cores divided among its ranks, no more than the
/// launcher has bound this one to.
int threads_per_rank(const World& world);

}  // namespace stl
