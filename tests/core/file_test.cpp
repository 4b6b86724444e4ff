// Files: whole or not at all.
#include "stl/core/file.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/data/support.h"

namespace stl {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(AtomicFile, AppearsWholeOrNotAtAll) {
    const test::TemporaryFolder folder;
    const auto path = folder / "deep/er/a.txt";
    {
        const AtomicFile file(path);
        test::write_bytes(file.temporary(), "half");
        EXPECT_FALSE(fs::exists(path));
        EXPECT_EQ(file.temporary().extension(), ".txt");
    }
    EXPECT_TRUE(fs::is_empty(folder / "deep/er"));
    AtomicFile file(path);
    test::write_bytes(file.temporary(), "whole");
    file.commit();
    EXPECT_EQ(read_text(path), "whole");
}

TEST(AtomicFile, OldContentStaysWhenWritingFails) {
    const test::TemporaryFolder folder;
    write_text(folder / "a", "old");
    {
        const test::FullDisk full(100);
        EXPECT_THAT(error_of([&] { write_text(folder / "a", std::string(10'000, 'x')); }),
                    HasSubstr("cannot be written"));
    }
    EXPECT_EQ(read_text(folder / "a"), "old");
    EXPECT_THAT(folder.files(), ElementsAre("a"));
    EXPECT_THAT(error_of([&] { write_text(folder.path(), ""); }), HasSubstr("is a folder"));
    EXPECT_THAT(error_of([&] { write_text("/proc/nothing/a", ""); }), HasSubstr("/proc/nothing"));
}

/// The id of a process that is no more.
pid_t dead_process() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
    return child;
}

TEST(AtomicFile, LeftoversOfAKilledWriterAreRemovedAndNothingElse) {
    const test::TemporaryFolder folder;
    const auto dead = dead_process();
    fs::create_directories(folder / "deep");
    fs::create_directories(folder / fmt::format(".folder.tmp{}", dead));
    std::vector<std::string> kept{"a.pth",
                                  ".last.tmp.pth",
                                  ".last.tmpx1.pth",
                                  fmt::format(".tmp{}.pth", dead),
                                  fmt::format("last.tmp{}.pth", dead),
                                  fmt::format(".last.tmp{}x.pth", dead),
                                  fmt::format(".last.tmp{}.pth.gz", dead),
                                  ".last.tmp-1.pth",
                                  fmt::format("deep/.last.tmp{}.pth", dead),
                                  fmt::format(".last.tmp{}.pth", ::getppid())};
    for (const auto& name : kept) write_text(folder / name, "");
    std::vector<std::string> removed{fmt::format(".last.tmp{}.pth", dead),
                                     fmt::format(".a.b.tmp{}.json", dead), fmt::format(".bare.tmp{}", dead)};
    for (const auto& name : removed) write_text(folder / name, "");
    {
        // Exactly the name that AtomicFile gives, left by a process with our id.
        const AtomicFile file(folder / "mine.pth");
        remove_leftovers(folder.path());
        EXPECT_FALSE(fs::exists(file.temporary()));
    }
    for (const auto& name : kept) EXPECT_TRUE(fs::exists(folder / name)) << name;
    for (const auto& name : removed) EXPECT_FALSE(fs::exists(folder / name)) << name;
    EXPECT_TRUE(fs::exists(folder / fmt::format(".folder.tmp{}", dead)));
    EXPECT_NO_THROW(remove_leftovers(folder / "none"));
}

TEST(FileLock, IsHeldOnceAndEndsWithItsObject) {
    const test::TemporaryFolder folder;
    {
        const FileLock first(folder / ".lock");
        EXPECT_EQ(first.state(), FileLock::State::held);
        const FileLock second(folder / ".lock");
        EXPECT_EQ(second.state(), FileLock::State::taken);
        EXPECT_EQ(second.holder(), ::getpid());
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
        EXPECT_EQ(other.holder(), child);
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
    EXPECT_EQ(second.holder(), 0);
}

TEST(File, ExistingOnesAreRefusedWithoutForce) {
    const test::TemporaryFolder folder;
    EXPECT_NO_THROW(refuse_existing(folder / "a", false));
    write_text(folder / "a", "");
    EXPECT_THAT(error_of([&] { refuse_existing(folder / "a", false); }), HasSubstr("a: exists already"));
    EXPECT_NO_THROW(refuse_existing(folder / "a", true));
    fs::create_symlink("nowhere", folder / "link");
    EXPECT_THAT(error_of([&] { refuse_existing(folder / "link", false); }), HasSubstr("exists already"));
}

TEST(File, DigestIsSha256) {
    const test::TemporaryFolder folder;
    write_text(folder / "a", "abc");
    EXPECT_EQ(sha256_file(folder / "a"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    write_text(folder / "b", "");
    EXPECT_EQ(sha256_file(folder / "b"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(File, GzipIsUnpackedAndPlainTextIsNot) {
    const test::TemporaryFolder folder;
    const std::string text(100'000, 'x');
    const auto file = gzopen((folder / "a.gz").c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    EXPECT_EQ(read_maybe_gzip(folder / "a.gz"), text);
    write_text(folder / "plain", "hello");
    EXPECT_EQ(read_maybe_gzip(folder / "plain"), "hello");
    EXPECT_THAT(error_of([&] { read_maybe_gzip(folder / "a.gz", 99'999); }),
                HasSubstr("more than 99999 bytes"));
    const auto packed = read_text(folder / "a.gz");
    write_text(folder / "cut.gz", packed.substr(0, packed.size() / 2));
    EXPECT_THAT(error_of([&] { read_maybe_gzip(folder / "cut.gz"); }),
                HasSubstr("cut.gz: truncated gzip data"));
}

TEST(MappedFile, ShowsTheBytesAndMoves) {
    const test::TemporaryFolder folder;
    write_text(folder / "a", "bytes");
    MappedFile one(folder / "a");
    const MappedFile two(std::move(one));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(two.bytes().data()), two.bytes().size()), "bytes");
    write_text(folder / "empty", "");
    EXPECT_THAT(MappedFile(folder / "empty").bytes(), IsEmpty());
    EXPECT_THAT(error_of([&] { MappedFile(folder / "none"); }), HasSubstr("none: no such file"));
    EXPECT_THAT(error_of([&] { MappedFile(folder.path()); }), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace stl
