#include "stl/distributed/world.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "stl/core/cores.h"
#include "stl/core/error.h"

namespace stl {
namespace {

/// The variables of a launcher. Those of the local ranks may be missing.
struct Launcher {
    const char* name;
    const char *rank, *size, *local_rank, *local_size;
    bool needs_local_rank;  ///< without which the others are somebody else's
    bool speaks_mpi;
};

constexpr Launcher launchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", true, false},
    {"mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE", false, true},
    {"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE", false, true},
    {"mpiexec", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", false, true},
};

std::optional<int> number(const Environment& environment, const char* name) {
    const char* text = environment(name);
    if (text == nullptr || *text == '\0') return std::nullopt;
    int value = 0;
    const auto* end = text + std::strlen(text);
    const auto [stop, problem] = std::from_chars(text, end, value);
    if (problem != std::errc() || stop != end || value < 0)
        fail("environment: {}: '{}', expected a number of at least 0", name, text);
    return value;
}

}  // namespace

std::string World::name() const {
    return fmt::format("rank {} of {}", rank, size);
}

World world_from(const Environment& environment) {
    const auto is_set = [&](const char* name) { return environment(name) != nullptr; };
    for (const auto& launcher : launchers) {
        if (!is_set(launcher.rank) || !is_set(launcher.size)) continue;
        if (launcher.needs_local_rank && !is_set(launcher.local_rank)) continue;
        World world;
        world.launcher = launcher.name;
        world.speaks_mpi = launcher.speaks_mpi;
        world.rank = number(environment, launcher.rank).value_or(0);
        world.size = number(environment, launcher.size).value_or(1);
        if (world.size < 1) fail("environment: {}: 0, expected at least 1", launcher.size);
        if (world.rank >= world.size) {
            fail("environment: {}: {}, expected 0 to {} ({} is {})", launcher.rank, world.rank,
                 world.size - 1, launcher.size, world.size);
        }
        world.local_rank = number(environment, launcher.local_rank).value_or(0);
        world.local_size = number(environment, launcher.local_size).value_or(1);
        return world;
    }
    return {};
}

World world_from_environment() {
    return world_from([](const char* name) { return std::getenv(name); });
}

int threads_per_rank(const World& world) {
    const auto bound = available_cores();
    const auto cores = static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    return std::min(bound, std::max(1, cores / std::max(1, world.local_size)));
}

}  // namespace stl
