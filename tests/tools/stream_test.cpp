// Frames as they come, through pipes, and files that change under our hands.
#include <gmock/gmock.h>

#include <csignal>

#include "tests/media/tools.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class StreamTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        write_text(folder_ / "tiny.json", R"({
            "dataset": {"name": "mmnist", "input_frames": 4, "output_frames": 4, "train_sequences": 4, "val_sequences": 2},
            "model": {"translator": "gsta", "hid_S": 4, "hid_T": 16, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
            "train": {"steps": 1, "batch_size": 2, "threads": 1}})");
    }
    void train() const { good("train tiny.json --run run --device cpu"); }
    /// Standard output of a shell line in which $STL is the program; its messages go to .err, its status to
    /// .status.
    std::string shell(const std::string& line) const {
        return test::run(fmt::format("cd '{}' && STL='{}' && rm -f .err .status; {}", folder_.string(),
                                     STL_PROGRAM, line));
    }
    std::string told() const { return read_text(folder_ / ".err"); }
    std::string status() const { return read_text(folder_ / ".status"); }
};

constexpr auto frames_to_pipe =
    "ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=64x64:rate=25 -t {} -pix_fmt gray -f rawvideo - "
    "2>.source | ";
constexpr auto predicting =
    "($STL predict run --input - --raw 64x64:gray --output - 2>.err; echo $? >.status)";

TEST_F(StreamTest, AFrameForEveryFrameOnceThereAreEnough) {
    train();
    const auto out = shell(fmt::format(frames_to_pipe, 2) + predicting);
    EXPECT_EQ(out.size(), 47U * 64 * 64);  // 50 frames, the first three of which have no prediction
    EXPECT_EQ(status(), "0\n");
    EXPECT_EQ(told(), "47 predicted frames written\n");
    // The first prediction is that of the first four frames as a file.
    test::ffmpeg("-f lavfi -i testsrc2=size=64x64:rate=25 -frames:v 4 -pix_fmt gray -c:v ffv1 " +
                 (folder_ / "four.mkv").string());
    good("predict run --input four.mkv --frames 1 --output next");
    EXPECT_EQ(test::run(fmt::format("ffmpeg -v error -i {}/next/frame_0000.png -pix_fmt gray -f rawvideo -",
                                    folder_.string())),
              out.substr(0, 64 * 64));
}

TEST_F(StreamTest, EndsWellWhenNobodyReadsAnyMore) {
    train();
    const auto out = shell(fmt::format(frames_to_pipe, 40) + predicting + " | head -c 8192");
    EXPECT_EQ(out.size(), 8192U);
    EXPECT_EQ(status(), "0\n") << told();
    EXPECT_THAT(told(), EndsWith("predicted frames written\n"));
}

TEST_F(StreamTest, RefusesWhatAStreamHasNoUseFor) {
    const auto refused = [&](const std::string& option, const std::string& why) {
        shell("$STL predict run --input - --raw 64x64:gray --output - " + option +
              " 2>.err </dev/null; echo $? >.status");
        EXPECT_EQ(status(), "2\n") << option;
        EXPECT_THAT(told(), HasSubstr(option.substr(0, option.find(' ')) + why));
    };
    for (const std::string option : {"--frames 8", "--batch 3", "--layout TNHW", "--tile"})
        refused(option, " is not for streams");
    for (const std::string option : {"--stream 1", "--max-pixels 99", "--at 1", "--full-size"})
        refused(option, " is for videos");
}

TEST_F(StreamTest, ACutFrameIsTold) {
    train();
    const auto out = shell(std::string("head -c 25000 /dev/zero | ") + predicting);
    EXPECT_EQ(out.size(), 3U * 64 * 64);  // six whole frames
    EXPECT_EQ(status(), "1\n");
    EXPECT_EQ(told(), "stl: standard input: ends inside frame 7 (424 of 4096 bytes)\n");
    shell(std::string("head -c 8192 /dev/zero | ") + predicting);
    EXPECT_EQ(told(), "stl: standard input: 2 frames, the model expects at least 4\n");
    shell(
        "head -c 40960 /dev/zero | ($STL predict run --input - --raw 64x64:gray --output - 2>.err "
        ">/dev/full; echo $? >.status)");
    EXPECT_EQ(status(), "1\n");
    EXPECT_THAT(told(),
                HasSubstr("standard output: cannot be written after 0 frames (No space left on device)"));
}

/// Keeps `stl inspect` busy for seconds, through memory: 2 GB of zeros that take no room on disk.
class BigFileTest : public StreamTest {
  protected:
    void SetUp() override {
        StreamTest::SetUp();
        const std::string header =
            "{'descr': '|u1', 'fortran_order': False, 'shape': (10000, 10, 1, 128, 160), }";
        std::string start = std::string("\x93NUMPY\x01\x00", 8);
        const std::size_t length = 128 - 10;
        start += static_cast<char>(length);
        start += '\0';
        start += header + std::string(length - header.size() - 1, ' ') + "\n";
        write_text(folder_ / "big.npy", start);
        fs::resize_file(folder_ / "big.npy", 128 + std::uintmax_t{10000} * 10 * 128 * 160);
    }
    /// Meanwhile runs `line`, in which $! is the program.
    void while_inspecting(const std::string& line) const {
        shell("{ ulimit -c 0; $STL inspect big.npy --rows 10000 >.out 2>.err & sleep 1; " + line +
              "; wait $!; echo $? >.status; } 2>.shell");
    }
};

TEST_F(BigFileTest, AFileThatIsCutShortWhileItIsRead) {
    while_inspecting("truncate -s 4096 big.npy");
    EXPECT_EQ(status(), "1\n");
    // Found by the file's size, or by the signal of a page that is gone.
    EXPECT_THAT(told(), testing::AnyOf(
                            "stl: big.npy: cut short while it was being read: 4.0 KiB of 1.9 GiB are left\n",
                            fmt::format("stl: {}: cut short while it was being read, or its disk is gone\n",
                                        fs::canonical(folder_ / "big.npy").string())));
}

TEST_F(BigFileTest, ACrashSaysInALineWhatCrashed) {
    for (const auto& [name, signal, text] : {std::tuple{"BUS", SIGBUS, "bus error"},
                                             {"SEGV", SIGSEGV, "segmentation fault"},
                                             {"ABRT", SIGABRT, "abort"}}) {
        while_inspecting(fmt::format("kill -{} $!", name));
        EXPECT_EQ(status(), fmt::format("{}\n", 128 + signal));
        EXPECT_THAT(told(), testing::StartsWith(fmt::format("stl: crashed ({}): version ", text)));
        EXPECT_THAT(told(), testing::EndsWith(", running 'stl inspect big.npy --rows 10000'\n"));
    }
}

}  // namespace
}  // namespace stl
