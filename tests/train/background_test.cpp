// Work on a thread beside the training's.
#include "stl/train/background.h"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <vector>

namespace stl {
namespace {

TEST(Background, DoesJobsInTheirOrderAndWaits) {
    std::vector<int> done;
    {
        Background background;
        for (int i = 0; i < 20; ++i) background.add([&done, i] { done.push_back(i); });
        background.wait();
        ASSERT_EQ(done.size(), 20U);
        background.add([&done] { done.push_back(20); });
    }
    for (int i = 0; i <= 20; ++i) EXPECT_EQ(done[static_cast<std::size_t>(i)], i);
}

TEST(Background, TellsOnceOfAJobThatFailedAndDropsTheRest) {
    Background background;
    std::promise<void> go;
    bool done = false;
    background.add([&] {
        go.get_future().wait();
        throw std::runtime_error("the disk is full");
    });
    background.add([&] { done = true; });
    go.set_value();
    EXPECT_THROW(background.wait(), std::runtime_error);
    EXPECT_FALSE(done);
    EXPECT_NO_THROW(background.wait());
    background.add([&] { done = true; });
    background.wait();
    EXPECT_TRUE(done) << "it goes on with what is asked for afterwards";
}

}  // namespace
}  // namespace stl
