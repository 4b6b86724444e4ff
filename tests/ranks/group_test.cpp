// Runs the tests of tests/in_ranks under mpirun.
#include "tests/ranks/mpirun.h"

namespace stl {
namespace {

class InRanks : public testing::TestWithParam<int> {};

TEST_P(InRanks, OperationsAndTheGroup) {
    run_in_ranks(GetParam(), "Operations.*:Group.*");
}

TEST_P(InRanks, GradientsOfAllTranslators) {
    run_in_ranks(GetParam(), "*Gradients.*:Accumulation.*");
}

INSTANTIATE_TEST_SUITE_P(Ranks, InRanks, testing::Values(2, 4),
                         [](const auto& info) { return fmt::format("{}", info.param); });

}  // namespace
}  // namespace stl
