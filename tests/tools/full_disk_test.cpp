// Every writer on a full disk: one clear line, status 1, and nothing under the final name. A limit on the
// size of files stands for the disk: writing beyond it fails as a full disk does.
#include <gmock/gmock.h>

#include "tests/media/tools.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class FullDiskTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        write_text(folder_ / "tiny.json", R"({
            "dataset": {"name": "mmnist", "train_sequences": 8, "val_sequences": 2},
            "model": {"translator": "gsta", "hid_S": 8, "hid_T": 32, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
            "train": {"steps": 1, "batch_size": 2, "threads": 1}})");
    }
    /// What the program does when files may have `blocks` half-kilobytes.
    Outcome full(const std::string& arguments, int blocks) const {
        const auto script = fmt::format("#!/bin/sh\nulimit -f {}\nexec '{}' \"$@\"\n", blocks, STL_PROGRAM);
        write_text(folder_ / ".limited", script);
        const auto command =
            fmt::format("cd '{}' && sh .limited {} >.out 2>.err </dev/null", folder_.string(), arguments);
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / ".out"),
                read_text(folder_ / ".err")};
    }
    std::vector<std::string> listing() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
            const auto name = fs::relative(entry.path(), folder_).string();
            if (name != ".out" && name != ".err" && name != ".limited") names.push_back(name);
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    void expect_refused(const std::string& arguments, const std::string& output, int blocks = 4) const {
        const auto before = listing();
        const auto outcome = full(arguments + output, blocks);
        EXPECT_EQ(outcome.status, 1) << arguments << output << "\n" << outcome.err;
        EXPECT_TRUE(is_one_line(outcome.err)) << arguments << output << "\n" << outcome.err;
        EXPECT_THAT(outcome.err,
                    AllOf(HasSubstr(output + ": cannot be written"), Not(HasSubstr("descriptor"))));
        EXPECT_EQ(listing(), before) << arguments << output;
    }
};

TEST_F(FullDiskTest, LeavesNothingBehind) {
    good("generate mmnist --split test --sequences 6 --output test.h5");
    good("train tiny.json --run run --device cpu");
    test::ffmpeg("-f lavfi -i testsrc2=size=64x64:rate=10 -t 4 " + (folder_ / "clip.mp4").string());
    fs::create_directories(folder_ / "frames");
    for (const char* output : {"out.h5", "out.npy"})
        expect_refused("generate mmnist --sequences 6 --output ", output);
    expect_refused("import clip.mp4 --length 20 --output ", "out.h5");
    for (const char* output : {"out.h5", "out.npy", "out.mp4", "out.webm", "out.gif"})
        expect_refused("predict run --input test.h5 --frames 20 --output ", output);
    for (const char* output : {"out.mp4", "out.webm", "out.gif", "out.apng", "out", "out.png", "out.svg"})
        expect_refused("render run --data test.h5 --output ", output);
    expect_refused("render run --data test.h5 --figure --output ", "figure.png");
    expect_refused("inspect test.h5 --sheet ", "sheet.png");
    expect_refused("convert run/checkpoints/last.pth ", "last.safetensors");
}

TEST_F(FullDiskTest, NoHalfCheckpoint) {
    const auto outcome = full("train tiny.json --run run --device cpu", 40);
    EXPECT_EQ(outcome.status, 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("cannot be written"));
    for (const auto& name : listing()) {
        EXPECT_THAT(name, AllOf(Not(HasSubstr(".pth")), Not(HasSubstr(".tmp"))));
    }
}

}  // namespace
}  // namespace stl
