// Programs run by several ranks.
#pragma once

#include "tests/tools/program.h"

namespace stl {

/// For mpirun as root too.
inline std::string mpirun_variables() {
    return "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1";
}
/// More ranks than cores share them.
inline std::string mpirun_command(int ranks) {
    return fmt::format("'{}' -np {} --oversubscribe --bind-to none", STL_MPIRUN, ranks);
}
inline std::string mpirun(int ranks) {
    return mpirun_variables() + " " + mpirun_command(ranks);
}

/// Fails the test unless every rank passes these of tests/in_ranks.
inline void run_in_ranks(int ranks, const std::string& filter) {
    const auto log = fs::temp_directory_path() / fmt::format("stl-in-ranks-{}.log", ::getpid());
    const auto status = std::system(fmt::format("{} '{}' --gtest_filter='{}' >'{}' 2>&1 </dev/null",
                                                mpirun(ranks), STL_IN_RANKS, filter, log.string())
                                        .c_str());
    EXPECT_EQ(status, 0) << read_text(log);
    fs::remove(log);
}

}  // namespace stl
