#include "stl/core/reporter.h"

#include <gtest/gtest.h>

namespace stl {
namespace {

Progress at(std::int64_t done, std::int64_t total) {
    return {.done = done, .total = total, .what = "training", .detail = ""};
}

TEST(SecondsLeft, ArePacedByWhatWasSeen) {
    EXPECT_EQ(seconds_left(at(0, 100), at(25, 100), 5), 15);
    EXPECT_EQ(seconds_left(at(9000, 10000), at(9100, 10000), 50), 450) << "a run that was resumed";
}

TEST(SecondsLeft, AreNotToldWhereNothingWasSeen) {
    EXPECT_EQ(seconds_left(at(9000, 10000), at(9000, 10000), 50), std::nullopt);
    EXPECT_EQ(seconds_left(at(0, 0), at(5, 0), 50), std::nullopt) << "how much is not known";
    EXPECT_EQ(seconds_left(at(0, 5), at(5, 5), 50), std::nullopt);
}

}  // namespace
}  // namespace stl
