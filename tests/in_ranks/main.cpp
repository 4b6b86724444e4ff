// A test program that several ranks run together, under mpirun (tests/ranks starts it).
#include <gtest/gtest.h>

#include <iostream>

#include "tests/in_ranks/group.h"

namespace {
std::unique_ptr<stl::Group> group;
}

namespace stl {
Group& ranks() {
    return *group;
}
}  // namespace stl

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    torch::set_num_threads(1);
    try {
        group =
            std::make_unique<stl::Group>(stl::world_from_environment(), stl::GroupOptions{.patience = 20});
        int status = RUN_ALL_TESTS();
        // A filter that fits nothing must not pass for a success.
        if (testing::UnitTest::GetInstance()->test_to_run_count() == 0) status = 1;
        group->close();
        return status;
    } catch (const std::exception& error) {
        std::cerr << "in_ranks: " << error.what() << "\n";
        return 1;
    }
}
