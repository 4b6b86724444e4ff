// Ranks as the launchers' variables give them.
#include "stl/distributed/world.h"

#include <gmock/gmock.h>

#include <map>

#include "stl/core/error.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

World world_of(const std::map<std::string, std::string>& variables) {
    return world_from([&](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    });
}

TEST(World, IsAloneWithoutALauncher) {
    const auto world = world_of({{"HOME", "/root"}});
    EXPECT_TRUE(world.alone());
    EXPECT_EQ(world.rank, 0);
    EXPECT_EQ(world.launcher, "");
}

TEST(World, IsReadFromEveryLauncher) {
    const auto mpirun = world_of({{"OMPI_COMM_WORLD_RANK", "5"},
                                  {"OMPI_COMM_WORLD_SIZE", "8"},
                                  {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                  {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}});
    EXPECT_EQ(mpirun.launcher, "mpirun");
    EXPECT_EQ(mpirun.name(), "rank 5 of 8");
    EXPECT_EQ(mpirun.local_rank, 1);
    EXPECT_EQ(mpirun.local_size, 4);
    EXPECT_TRUE(mpirun.speaks_mpi);
    const auto srun =
        world_of({{"SLURM_PROCID", "3"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_LOCALID", "1"}});
    EXPECT_EQ(srun.launcher, "srun");
    EXPECT_EQ(srun.name(), "rank 3 of 4");
    const auto mpiexec = world_of({{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}});
    EXPECT_EQ(mpiexec.launcher, "mpiexec");
    EXPECT_EQ(mpiexec.size, 2);
    const auto torchrun = world_of({{"RANK", "2"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "0"}});
    EXPECT_EQ(torchrun.launcher, "torchrun");
    EXPECT_FALSE(torchrun.speaks_mpi);
}

TEST(World, ABatchScriptOfSeveralTasksIsAlone) {
    // Slurm sets these in the script itself, which starts the tasks with srun.
    EXPECT_TRUE(world_of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}, {"SLURM_LOCALID", "0"}}).alone());
    // Names that other programs use, too.
    EXPECT_TRUE(world_of({{"RANK", "2"}, {"WORLD_SIZE", "4"}}).alone());
}

TEST(World, RefusesNumbersThatCannotBe) {
    EXPECT_THAT(
        [] {
            world_of({{"RANK", "4"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "0"}});
        },
        ThrowsMessage<Error>(HasSubstr("RANK: 4, expected 0 to 3 (WORLD_SIZE is 4)")));
    EXPECT_THAT(
        [] {
            world_of({{"PMI_RANK", "one"}, {"PMI_SIZE", "2"}});
        },
        ThrowsMessage<Error>(HasSubstr("PMI_RANK: 'one', expected a number")));
}

TEST(World, RanksOfAMachineShareItsCores) {
    World world;
    const int all = threads_per_rank(world);
    world.local_size = 2;
    EXPECT_GE(threads_per_rank(world), 1);
    EXPECT_LE(threads_per_rank(world), all);
    world.local_size = 1 << 20;
    EXPECT_EQ(threads_per_rank(world), 1);
}

}  // namespace
}  // namespace stl
