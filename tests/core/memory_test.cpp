// What memory a process can still have, from trees of files as the kernel shows them.
#include "stl/core/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/support/checks.h"

namespace stl {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t mib = 1 << 20;

class AvailableMemoryTest : public testing::Test {
  protected:
    AvailableMemoryTest() {
        write("proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1024 kB\nMemAvailable: 4194304 kB\n");
    }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((root_ / name).parent_path());
        write_text(root_ / name, text);
    }
    AvailableMemory found() const { return available_memory(root_.path()); }

    test::TemporaryFolder root_;
};

TEST_F(AvailableMemoryTest, IsTheMachinesWhereNothingElseBoundsIt) {
    write("proc/self/cgroup", "0::/\n");
    EXPECT_EQ(found().bytes, 4096 * mib);
    EXPECT_EQ(found().limit, "the machine's memory");
}

TEST_F(AvailableMemoryTest, IsWhatTheContainersLimitLeaves) {
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/memory.max", "536870912\n");
    write("sys/fs/cgroup/memory.current", "209715200\n");
    EXPECT_EQ(found().bytes, 312 * mib);
    EXPECT_EQ(found().limit, "the container's memory");
    write("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 104857600\nactive_file 5\n");
    EXPECT_EQ(found().bytes, 412 * mib) << "file caches are given back";
    write("sys/fs/cgroup/memory.max", "max\n");
    EXPECT_EQ(found().limit, "the machine's memory");
}

TEST_F(AvailableMemoryTest, IsTheLeastOfAllGroupsAroundTheProcess) {
    write("proc/self/cgroup", "0::/a/b\n");
    for (const auto& [group, limit] : {std::pair{"a", "104857600"}, {"a/b", "max"}}) {
        write(fmt::format("sys/fs/cgroup/{}/memory.max", group), limit);
        write(fmt::format("sys/fs/cgroup/{}/memory.current", group), "0");
    }
    EXPECT_EQ(found().bytes, 100 * mib);
}

TEST_F(AvailableMemoryTest, KnowsTheFirstVersionOfCgroups) {
    write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/\n");
    write("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "268435456");
    write("sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes", "134217728");
    write("sys/fs/cgroup/memory/docker/1/memory.stat", "total_inactive_file 33554432\n");
    EXPECT_EQ(found().bytes, 160 * mib);
}

TEST_F(AvailableMemoryTest, AFullGroupHasNone) {
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/memory.max", "1000\n");
    write("sys/fs/cgroup/memory.current", "2000\n");
    EXPECT_EQ(found().bytes, 0U);
}

TEST_F(AvailableMemoryTest, ObeysTheProcessesOwnLimits) {
    write("proc/self/status", "VmPeak: 9 kB\nVmSize: 1048576 kB\nVmData: 512 kB\n");
    for (const auto& [resource, taken, name] :
         {std::tuple{RLIMIT_AS, 1024 * mib, "ulimit -v"}, {RLIMIT_DATA, mib / 2, "ulimit -d"}}) {
        rlimit before{};
        ASSERT_EQ(getrlimit(resource, &before), 0);
        rlimit limited = before;
        limited.rlim_cur = 3072 * mib;  // more than this test needs
        ASSERT_EQ(setrlimit(resource, &limited), 0);
        const auto memory = found();
        setrlimit(resource, &before);
        EXPECT_EQ(memory.bytes, 3072 * mib - taken);
        EXPECT_THAT(memory.limit, HasSubstr(name));
    }
}

}  // namespace
}  // namespace stl
