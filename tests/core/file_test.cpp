// Files: whole or not at all.
#include "stl/core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "stl/core/digest.h"
#include "stl/core/file_lock.h"
#include "stl/core/utf8.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

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

TEST(AtomicFile, DoesNotReplaceWhatAnotherProgramMadeMeanwhile) {
    const test::TemporaryFolder folder;
    {
        AtomicFile file(folder / "a", /*replace=*/false);
        test::write_bytes(file.temporary(), "ours");
        test::write_bytes(folder / "a", "theirs");
        EXPECT_THAT(error_of([&] { file.commit(); }), HasSubstr("a: exists already (--force replaces it)"));
    }
    EXPECT_EQ(read_text(folder / "a"), "theirs");
    EXPECT_THAT(folder.files(), ElementsAre("a"));
    EXPECT_THAT(error_of([&] { write_text(folder / "a", "", /*replace=*/false); }),
                HasSubstr("exists already"));
    write_text(folder / "b", "new", /*replace=*/false);
    EXPECT_EQ(read_text(folder / "b"), "new");
}

TEST(AtomicFile, APipeOrADeviceIsNotReplaced) {
    const test::TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    fs::create_symlink("/dev/null", folder / "null");
    for (const bool force : {false, true}) {
        EXPECT_THAT(error_of([&] { refuse_existing(folder / "pipe", force); }),
                    HasSubstr("pipe: is a pipe, expected the name of a file"));
        EXPECT_THAT(error_of([&] { AtomicFile(folder / "null", force); }), HasSubstr("null: is a device"));
    }
    EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
    EXPECT_TRUE(fs::is_symlink(folder / "null"));
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
                                  fmt::format(".last.tmp{}-0123.pth", dead),
                                  fmt::format(".last.tmp{}-0123456789abcdeg.pth", dead),
                                  fmt::format(".last.tmp{}-0123456789abcdef.pth", ::getppid()),
                                  fmt::format("deep/.last.tmp{}.pth", dead),
                                  fmt::format(".last.tmp{}.pth", ::getppid())};
    for (const auto& name : kept) write_text(folder / name, "");
    std::vector<std::string> removed{fmt::format(".last.tmp{}.pth", dead),
                                     fmt::format(".last.tmp{}-0123456789abcdef.pth", dead),
                                     fmt::format(".bare.tmp{}-0123456789abcdef", dead),
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

TEST(AtomicFile, TwoOfOneNameAndProcessIdDoNotMix) {
    // As in two containers, where both are process 1.
    const test::TemporaryFolder folder;
    AtomicFile first(folder / "a.txt"), second(folder / "a.txt");
    EXPECT_NE(first.temporary(), second.temporary());
    std::ofstream(first.temporary()) << "the longer one of the two";
    std::ofstream(second.temporary()) << "the other";
    first.commit();
    EXPECT_EQ(read_text(folder / "a.txt"), "the longer one of the two");
    second.commit();
    EXPECT_EQ(read_text(folder / "a.txt"), "the other");
    EXPECT_THAT(folder.files(), ElementsAre("a.txt"));
}

TEST(AtomicFile, ALinkAtANameThatCanBeForeseenIsNotFollowed) {
    const test::TemporaryFolder folder;
    write_text(folder / "victim", "precious");
    fs::create_symlink("victim", folder / fmt::format(".a.tmp{}.txt", ::getpid()));
    write_text(folder / "a.txt", "new");
    EXPECT_EQ(read_text(folder / "victim"), "precious");
    EXPECT_EQ(read_text(folder / "a.txt"), "new");
    fs::create_symlink("victim", folder / ".lock");
    EXPECT_THAT(error_of([&] { FileLock(folder / ".lock"); }), HasSubstr(".lock: cannot be written"));
    EXPECT_EQ(read_text(folder / "victim"), "precious");
}

TEST(AtomicFile, ANameMayBeAsLongAsTheFileSystemTakes) {
    const test::TemporaryFolder folder;
    std::string letters;
    while (letters.size() < 250) letters += "\u00e9";
    for (const auto& name : {std::string(255, 'n'), std::string(251, 'n') + ".txt", letters + "a.txt",
                             "a." + std::string(253, 'x')}) {
        ASSERT_EQ(name.size(), 255U);
        write_text(folder / name, "text");
        EXPECT_EQ(read_text(folder / name), "text");
        const auto temporary = AtomicFile(folder / name).temporary().filename().string();
        EXPECT_LE(temporary.size(), 255U);
        EXPECT_TRUE(is_utf8(temporary)) << temporary;
    }
    EXPECT_THAT(error_of([&] { write_text(folder / std::string(256, 'n'), ""); }), HasSubstr("too long"));
}

TEST(TemporaryFiles, AreNewAndOfTheirOwnName) {
    const test::TemporaryFolder folder;
    const auto file = make_temporary_file(folder / "a.png"), other = make_temporary_file(folder / "a.png");
    EXPECT_NE(file, other);
    EXPECT_EQ(file.parent_path(), folder.path());
    EXPECT_THAT(file.filename().string(), StartsWith(fmt::format(".a.tmp{}-", ::getpid())));
    EXPECT_EQ(file.extension(), ".png");
    EXPECT_TRUE(fs::is_directory(make_temporary_folder(folder / "a")));
    EXPECT_THAT(error_of([&] { make_temporary_file(folder / "none/a.png"); }),
                HasSubstr("none/a.png: cannot be written"));
}

TEST(TemporaryFiles, WhatHasNoNameLeavesNothing) {
    const test::TemporaryFolder folder;
    const auto file = open_nameless_file(folder.path());
    ASSERT_NE(file, nullptr);
    EXPECT_THAT(folder.files(), IsEmpty());
    ASSERT_GE(std::fputs("text", file.get()), 0);
    ASSERT_EQ(std::fflush(file.get()), 0);
    const MappedFile map(::fileno(file.get()), "nameless");
    EXPECT_EQ(map.bytes().size(), 4U);
    EXPECT_EQ(open_nameless_file(folder / "none"), nullptr);
    EXPECT_EQ(errno, ENOENT);
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

TEST(File, WhatIsReadWholeMayBeAPipeAndHasABound) {
    const test::TemporaryFolder folder;
    EXPECT_THAT(error_of([] { read_text("/dev/zero", 1 << 20); }),
                HasSubstr("/dev/zero: holds more than 1048576 bytes"));
    write_text(folder / "a", "12345");
    EXPECT_EQ(read_text(folder / "a", 5), "12345");
    EXPECT_THAT(error_of([&] { read_text(folder / "a", 4); }), HasSubstr("holds more than 4 bytes"));
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    std::thread writer([&] { test::write_bytes(folder / "pipe", "{}"); });
    EXPECT_EQ(read_text(folder / "pipe"), "{}");
    writer.join();
}

TEST(File, WhatNeedsPlacesIsNoPipe) {
    const test::TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    const auto refused = HasSubstr("pipe: is a pipe, expected a file");
    EXPECT_THAT(error_of([&] { MappedFile(folder / "pipe"); }), refused);
    EXPECT_THAT(error_of([&] { sha256_file(folder / "pipe"); }), refused);
    EXPECT_THAT(error_of([&] { read_maybe_gzip(folder / "pipe"); }), refused);
    EXPECT_THAT(error_of([] { MappedFile("/dev/zero"); }), HasSubstr("is a device"));
}

TEST(File, AShortageIsToldFromABadFile) {
    const test::TemporaryFolder folder;
    write_text(folder / "a", "");
    const test::NoMoreFiles none;
    EXPECT_THROW(read_text(folder / "a"), Shortage);
    EXPECT_THROW(MappedFile(folder / "a"), Shortage);
    EXPECT_THROW(AtomicFile(folder / "b"), Shortage);
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
