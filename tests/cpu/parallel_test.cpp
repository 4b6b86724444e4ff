// Units of work on several threads: each once, whatever the number of threads and whoever calls.
#include "stl/cpu/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace stl::cpu {
namespace {

/// More threads than this machine may have cores, so that helpers are interrupted and come late.
class ParallelTest : public testing::Test {
  protected:
    ParallelTest() { omp_set_num_threads(4); }
    ~ParallelTest() override { omp_set_num_threads(before_); }

  private:
    int before_ = omp_get_max_threads();
};

std::vector<int> runs_of(int units) {
    std::vector<int> runs(static_cast<std::size_t>(units), 0);
    parallel(units, [&](int unit) { ++runs[static_cast<std::size_t>(unit)]; });
    return runs;
}

TEST_F(ParallelTest, EveryUnitOnce) {
    EXPECT_THAT(runs_of(1000), testing::Each(1));
    EXPECT_THAT(runs_of(1), testing::Each(1));
    EXPECT_THAT(runs_of(0), testing::IsEmpty());
}

TEST_F(ParallelTest, CallsThatFollowEachOtherDoNotMix) {
    for (int call = 0; call < 5000; ++call) {
        const int units = 2 + call % 37;
        const auto runs = runs_of(units);
        ASSERT_EQ(std::accumulate(runs.begin(), runs.end(), 0), units) << call;
        ASSERT_THAT(runs, testing::Each(1)) << call;
    }
}

TEST_F(ParallelTest, AfterAPauseTheHelpersComeAgain) {
    for (int call = 0; call < 20; ++call) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        ASSERT_THAT(runs_of(64), testing::Each(1));
    }
}

TEST_F(ParallelTest, MoreUnitsThanOneHandingOutHolds) {
    constexpr int units = (1 << 21) + 3;
    EXPECT_THAT(runs_of(units), testing::Each(1));
}

TEST_F(ParallelTest, TheNumberOfThreadsMayChange) {
    for (int threads = 1; threads <= 5; ++threads) {
        omp_set_num_threads(threads);
        EXPECT_EQ(thread_count(), threads);
        EXPECT_THAT(runs_of(500), testing::Each(1)) << threads;
    }
}

/// Scratch memory is taken by the index.
TEST_F(ParallelTest, NoTwoUnitsShareAnIndexAtOneTime) {
    std::vector<std::atomic<int>> held(4);
    std::atomic<int> shared = 0;
    parallel(2000, [&](int) {
        const auto index = static_cast<std::size_t>(thread_index());
        if (index >= held.size() || held[index].fetch_add(1) != 0) ++shared;
        std::this_thread::yield();
        if (index < held.size()) --held[index];
    });
    EXPECT_EQ(shared, 0);
    EXPECT_EQ(thread_index(), 0);
}

TEST_F(ParallelTest, AllThreadsWork) {
    std::vector<std::atomic<int>> units(4);
    parallel(4, [&](int) {
        ++units[static_cast<std::size_t>(thread_index())];
        while (std::any_of(units.begin(), units.end(), [](const auto& n) { return n == 0; }))
            std::this_thread::yield();
    });
    EXPECT_THAT(std::vector<int>(units.begin(), units.end()), testing::Each(1));
}

TEST_F(ParallelTest, ACallWithinAUnitRunsOnItsThread) {
    std::atomic<int> units = 0, moved = 0;
    parallel(8, [&](int) {
        const int index = thread_index();
        parallel(8, [&](int) {
            ++units;
            if (thread_index() != index) ++moved;
        });
    });
    EXPECT_EQ(units, 64);
    EXPECT_EQ(moved, 0);
}

TEST_F(ParallelTest, SeveralCallersAtOnce) {
    std::atomic<int> wrong = 0;
    std::vector<std::jthread> callers;
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&] {
            omp_set_num_threads(3);  // of this thread's calls
            for (int call = 0; call < 200; ++call) {
                for (const int runs : runs_of(100)) wrong += runs != 1;
            }
        });
    }
    callers.clear();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace stl::cpu
