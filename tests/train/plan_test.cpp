// What is said of a machine that other programs use as well.
#include "stl/train/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stl {
namespace {

TEST(BusyMachineTest, SaysNothingWhereTheThreadsGetEnough) {
    EXPECT_EQ(BusyMachine::warning(1, 8), "");
    EXPECT_EQ(BusyMachine::warning(0.6, 8), "");
}

TEST(BusyMachineTest, NamesTheShareAndTheOptionThatHelps) {
    EXPECT_EQ(
        BusyMachine::warning(0.52, 8),
        "other programs or a quota hold the cores: this training's 8 threads get 52 % of the time that they "
        "could use; --threads 4 leaves them their part");
    EXPECT_EQ(
        BusyMachine::warning(0.4, 1),
        "other programs or a quota hold the cores: this training's 1 thread gets 40 % of the time that it "
        "could use");
}

}  // namespace
}  // namespace stl
