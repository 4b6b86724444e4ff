// What the threads of a process get of the processor, from trees of files as the kernel shows them.
#include "stl/core/cpu_time.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "tests/support/checks.h"

namespace stl {
namespace {

TEST(CpuTimeTest, IsTheSumOverTheThreads) {
    const test::TemporaryFolder root;
    const auto write = [&](const std::string& thread, const std::string& text) {
        const auto folder = root / "proc/self/task" / thread;
        fs::create_directories(folder);
        write_text(folder / "schedstat", text);
    };
    write("7", "2000000000 500000000 11\n");
    write("8", "1000000000 1500000000 7\n");
    write("9", "damaged\n");
    const auto time = cpu_time(root.path());
    EXPECT_DOUBLE_EQ(time.running, 3);
    EXPECT_DOUBLE_EQ(time.waiting, 2);
}

TEST(CpuTimeTest, IsZeroWhereTheSystemDoesNotTell) {
    const test::TemporaryFolder root;
    EXPECT_EQ(cpu_time(root.path()).running, 0);
    EXPECT_EQ(cpu_time(root.path()).waiting, 0);
}

TEST(CpuTimeTest, TheShareIsOfWhatTheThreadsCouldHaveUsed) {
    EXPECT_DOUBLE_EQ(share_between({10, 1}, {13, 2}), 0.75);
    EXPECT_DOUBLE_EQ(share_between({10, 1}, {13, 1}), 1);
    EXPECT_DOUBLE_EQ(share_between({}, {}), 1);
    // A thread that has ended takes its times along.
    EXPECT_DOUBLE_EQ(share_between({10, 5}, {8, 7}), 1);
}

/// Two threads that want one core get half of it each.
TEST(CpuTimeTest, ThisProcessIsMeasured) {
    cpu_set_t affinity;
    CPU_ZERO(&affinity);
    ASSERT_EQ(sched_getaffinity(0, sizeof(affinity), &affinity), 0);
    std::atomic<bool> end = false;
    const auto spin = [&] {
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int core = 0; CPU_COUNT(&one) == 0; ++core) {
            if (CPU_ISSET(core, &affinity)) CPU_SET(core, &one);
        }
        EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
        while (!end) {
        }
    };
    std::jthread first(spin), second(spin);
    const auto before = cpu_time();
    if (before.running == 0) {
        end = true;
        GTEST_SKIP() << "this system has no /proc/self/task/*/schedstat";
    }
    CpuTime after = before;
    while (after.running - before.running < 0.1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        after = cpu_time();
    }
    end = true;
    EXPECT_LT(share_between(before, after), 0.75);
}

}  // namespace
}  // namespace stl
