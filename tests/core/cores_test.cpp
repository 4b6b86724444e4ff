// How many cores a process may use, from its affinity and from trees of files as the kernel shows them.
#include "stl/core/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "tests/support/checks.h"

namespace stl {
namespace {

class AvailableCoresTest : public testing::Test {
  protected:
    AvailableCoresTest() {
        CPU_ZERO(&affinity_);
        EXPECT_EQ(sched_getaffinity(0, sizeof(affinity_), &affinity_), 0);
    }
    ~AvailableCoresTest() override { sched_setaffinity(0, sizeof(affinity_), &affinity_); }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((root_ / name).parent_path());
        write_text(root_ / name, text);
    }
    int found() const { return available_cores(root_.path()); }

    cpu_set_t affinity_;
    test::TemporaryFolder root_;
};

TEST_F(AvailableCoresTest, AreThoseOfTheAffinity) {
    EXPECT_EQ(found(), CPU_COUNT(&affinity_));
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int core = 0; CPU_COUNT(&one) == 0; ++core) {
        if (CPU_ISSET(core, &affinity_)) CPU_SET(core, &one);
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(found(), 1);
}

TEST_F(AvailableCoresTest, AreAtMostTheQuotaOfAnyGroupRoundedUp) {
    const int all = CPU_COUNT(&affinity_);
    write("proc/self/cgroup", "0::/a/b\n");
    write("sys/fs/cgroup/cpu.max", "max 100000\n");
    EXPECT_EQ(found(), all);
    write("sys/fs/cgroup/a/cpu.max", "130000 100000\n");
    EXPECT_EQ(found(), std::min(all, 2));
    write("sys/fs/cgroup/a/b/cpu.max", "100000 100000\n");
    EXPECT_EQ(found(), 1);
    write("sys/fs/cgroup/a/b/cpu.max", "1000 100000\n");
    EXPECT_EQ(found(), 1);
    write("sys/fs/cgroup/a/b/cpu.max", "damaged\n");
    EXPECT_EQ(found(), std::min(all, 2));
}

TEST_F(AvailableCoresTest, AreAtMostTheQuotaOfTheFirstVersion) {
    write("proc/self/cgroup", "5:cpu,cpuacct:/docker/1\n");
    write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(found(), CPU_COUNT(&affinity_));
    write("sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "50000\n");
    write("sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(found(), 1);
}

}  // namespace
}  // namespace stl
