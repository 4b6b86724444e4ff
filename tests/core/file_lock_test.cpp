// Locks on a folder, with the file system's locks and without.
#include "stl/core/file_lock.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stl/core/json.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto owner_file = FileLock::Kind::owner_file;

TEST(FileLock, IsHeldOnceAndEndsWithItsObject) {
    const test::TemporaryFolder folder;
    {
        const FileLock first(folder / ".lock");
        EXPECT_EQ(first.state(), FileLock::State::held);
        const FileLock second(folder / ".lock");
        EXPECT_EQ(second.state(), FileLock::State::taken);
        EXPECT_EQ(second.holder(), fmt::format("process {}", ::getpid()));
    }
    EXPECT_EQ(FileLock(folder / ".lock").state(), FileLock::State::held);
    EXPECT_THAT(error_of([&] { FileLock(folder / "none/.lock"); }),
                HasSubstr("none/.lock: cannot be written"));
}

TEST(FileLock, EndsWithAKilledProcess) {
    const test::TemporaryFolder folder;
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(60);  // where the test itself ends early
        const FileLock lock(folder / ".lock");
        [[maybe_unused]] const auto told = ::write(pipe[1], "x", 1);
        for (;;) ::pause();
    }
    char told = 0;
    ASSERT_EQ(::read(pipe[0], &told, 1), 1);
    {
        const FileLock other(folder / ".lock");
        EXPECT_EQ(other.state(), FileLock::State::taken);
        EXPECT_EQ(other.holder(), fmt::format("process {}", child));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(FileLock(folder / ".lock").state(), FileLock::State::held);
    for (const int end : pipe) ::close(end);
}

TEST(FileLock, DoesWithoutItsProcessIdOnAFullDisk) {
    const test::TemporaryFolder folder;
    const test::FullDisk full(0);
    const FileLock first(folder / ".lock");
    EXPECT_EQ(first.state(), FileLock::State::held);
    const FileLock second(folder / ".lock");
    EXPECT_EQ(second.state(), FileLock::State::taken);
    EXPECT_EQ(second.holder(), "");
}

TEST(FileLock, NoticesThatItsFileWasRemovedOrReplaced) {
    for (const auto kind : {FileLock::Kind::automatic, owner_file}) {
        const test::TemporaryFolder folder;
        const auto run = folder / "run";
        fs::create_directory(run);
        const FileLock lock(run / ".lock", kind);
        EXPECT_TRUE(lock.in_place());
        fs::rename(run, folder / "elsewhere");
        EXPECT_FALSE(lock.in_place());
        fs::create_directory(run);
        const FileLock other(run / ".lock", kind);
        EXPECT_EQ(other.state(), FileLock::State::held);
        EXPECT_FALSE(lock.in_place()) << "it is the other's";
    }
}

TEST(FileLock, AnOwnerFileStandsForItWhereThereAreNoLocks) {
    const test::TemporaryFolder folder;
    {
        const FileLock first(folder / ".lock", owner_file);
        EXPECT_EQ(first.state(), FileLock::State::held);
        const FileLock second(folder / ".lock", owner_file);
        EXPECT_EQ(second.state(), FileLock::State::taken);
        EXPECT_THAT(second.holder(), HasSubstr(fmt::format("process {} on host ", ::getpid())));
    }
    EXPECT_THAT(folder.files(), testing::IsEmpty());
}

/// What a process that was killed left.
class OwnerFileTest : public testing::Test {
  protected:
    void SetUp() override {
        const FileLock lock(file_, owner_file);
        owner_ = read_json(folder_ / ".lock.owner");
    }
    /// With the file as it is now, last touched so many seconds ago.
    FileLock::State state_after(int seconds) {
        const auto file = folder_ / ".lock.owner";
        write_text(file, to_line(owner_));
        fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
        return FileLock(file_, owner_file).state();
    }

    const test::TemporaryFolder folder_;
    const fs::path file_ = folder_ / ".lock";
    Json owner_;
};

TEST_F(OwnerFileTest, AProcessOnThisMachineHasItAsLongAsItRuns) {
    EXPECT_EQ(state_after(1000), FileLock::State::taken) << "this process runs";
    owner_["started"] = "1";
    EXPECT_EQ(state_after(0), FileLock::State::held) << "another process has its number now";
}

TEST_F(OwnerFileTest, NothingSurvivesABoot) {
    owner_["boot"] = "another";
    EXPECT_EQ(state_after(0), FileLock::State::held);
}

TEST_F(OwnerFileTest, AnotherMachineHasItAsLongAsItGivesSigns) {
    for (const char* key : {"host", "processes"}) {
        const auto before = owner_;
        owner_[key] = "another";
        EXPECT_EQ(state_after(30), FileLock::State::taken) << key;
        EXPECT_EQ(state_after(90), FileLock::State::held) << key;
        owner_ = before;
    }
}

}  // namespace
}  // namespace stl
