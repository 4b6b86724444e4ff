// What the system may do to the program: names of pipes and devices, several at one output, signals, and too
// few files, threads or rights.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/media/tools.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class SystemTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        write_text(folder_ / "tiny.json", R"({
            "dataset": {"name": "mmnist", "input_frames": 2, "output_frames": 2, "train_sequences": 8, "val_sequences": 2,
                        "test_sequences": 2},
            "model": {"translator": "gsta", "hid_S": 4, "hid_T": 16, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
            "train": {"steps": 1, "batch_size": 2, "threads": 1}})");
    }
    /// A line for bash in which $STL is the program; what hangs is killed.
    Outcome bash(const std::string& line) const {
        write_text(folder_ / ".line", line);
        const auto command =
            fmt::format("cd '{}' && export STL='{}' && timeout -k 1 60 bash .line >.out 2>.err </dev/null",
                        folder_.string(), STL_PROGRAM);
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / ".out"),
                read_text(folder_ / ".err")};
    }
    void expect_refused(const std::string& line, const std::string& message) const {
        const auto outcome = bash(line);
        EXPECT_EQ(outcome.status, 1) << line << "\n" << outcome.err;
        EXPECT_TRUE(is_one_line(outcome.err)) << line << "\n" << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(message)) << line;
    }
    /// A prefix that makes a line's program one of no privileges; "" for who has none. No value: not to be had.
    std::optional<std::string> unprivileged() const {
        if (::geteuid() != 0) return "";
        const std::string prefix = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
        if (bash(prefix + "$STL --version").status != 0) return std::nullopt;
        return prefix;
    }
};

TEST_F(SystemTest, OfSeveralAtOneOutputOneWritesIt) {
    bash(R"(for i in 1 2 3 4; do
                ($STL generate mmnist --sequences 8000 --canvas 32 --frames 8 --seed $i --output g.h5 2>err$i; echo $? >status$i) &
            done; wait)");
    int written = 0;
    for (int i = 1; i <= 4; ++i) {
        const bool good = read_text(folder_ / fmt::format("status{}", i)) == "0\n";
        written += good ? 1 : 0;
        if (!good) {
            EXPECT_EQ(read_text(folder_ / fmt::format("err{}", i)),
                      "stl: g.h5: exists already (--force replaces it)\n");
        }
    }
    EXPECT_EQ(written, 1);
}

TEST_F(SystemTest, PipesAndDevicesAreNeverReplaced) {
    ASSERT_EQ(::mkfifo((folder_ / "pipe.npy").c_str(), 0600), 0);
    for (const std::string force : {"", " --force"}) {
        expect_refused("$STL generate mmnist --sequences 1 --output pipe.npy" + force,
                       "pipe.npy: is a pipe, expected the name of a file");
    }
    EXPECT_TRUE(fs::is_fifo(folder_ / "pipe.npy"));
    if (bash("mknod null.h5 c 1 3").status != 0) GTEST_SKIP() << "NOT RUN: no right to make a device";
    for (const std::string force : {"", " --force"}) {
        expect_refused("$STL generate mmnist --sequences 1 --output null.h5" + force,
                       "null.h5: is a device, expected the name of a file");
    }
    EXPECT_TRUE(fs::is_character_file(folder_ / "null.h5"));
}

TEST_F(SystemTest, APipeIsNoInputThatNeedsPlaces) {
    for (const std::string name : {"a.h5", "a.npy", "a.npz", "a.mp4"}) {
        ASSERT_EQ(::mkfifo((folder_ / name).c_str(), 0600), 0);
        expect_refused("$STL inspect " + name, name + ": is a pipe, expected a file");
    }
    for (const std::string name : {"a.pth", "a.safetensors"}) {
        ASSERT_EQ(::mkfifo((folder_ / name).c_str(), 0600), 0);
        expect_refused("$STL evaluate " + name, name + ": is a pipe, expected a file");
        expect_refused("$STL convert " + name + " b.pth", name + ": is a pipe, expected a file");
    }
    for (const std::string command : {"info", "train --device cpu --run run"}) {
        const auto outcome = bash("$STL " + command + " <(cat tiny.json)");
        EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.err;
    }
}

TEST_F(SystemTest, WaitingForAPipeEndsWithTheFirstSignal) {
    ASSERT_EQ(::mkfifo((folder_ / "e.json").c_str(), 0600), 0);
    // Nobody writes; then somebody who has nothing to say.
    for (const std::string writer : {"", "sleep 30 >e.json & "}) {
        const auto outcome = bash(writer +
                                  "(sleep 1; kill -TERM $(cat pid)) & "
                                  "sh -c 'echo $$ >pid; exec \"$STL\" train e.json --run r'");
        EXPECT_EQ(outcome.status, 130) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr("e.json: interrupted")) << writer;
    }
}

TEST_F(SystemTest, ErrorsOfTheFileSystemAreOneLine) {
    bash("ln -s loop loop");
    expect_refused("$STL evaluate loop", "stl: loop: too many levels of symbolic links\n");
    const std::string name(300, 'x');
    expect_refused("$STL evaluate " + name, "stl: " + name + ": file name too long\n");
    const auto prefix = unprivileged();
    if (!prefix) GTEST_SKIP() << "NOT RUN: root may read everything";
    bash("mkdir closed; chmod 0 closed");
    expect_refused(*prefix + "$STL evaluate closed/run", "stl: closed/run: permission denied\n");
}

TEST_F(SystemTest, NamesDoNotBreakMessages) {
    expect_refused("$STL evaluate $'a\\nb\\ec'", "stl: a?b?c: no such run or checkpoint\n");
}

TEST_F(SystemTest, AClosedTerminalStopsTrainingAndSaves) {
    const std::string train = "train tiny.json --run run --device cpu --set train.steps=100000 --log-every 1";
    const auto outcome = interrupted(train, folder_ / "run/metrics.jsonl", SIGHUP);
    EXPECT_EQ(outcome.status, 130) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("saved; continue with"));
    EXPECT_TRUE(fs::exists(folder_ / "run/checkpoints/last.pth"));
}

TEST_F(SystemTest, UnderNohupAClosedTerminalIsNotHeard) {
    const auto outcome =
        interrupted("train tiny.json --run run --device cpu --set train.steps=60 --log-every 1",
                    folder_ / "run/metrics.jsonl", SIGHUP, "trap '' HUP; ");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
}

TEST_F(SystemTest, AScriptsJobInTheBackgroundHearsAnInterrupt) {
    const auto outcome =
        interrupted("train tiny.json --run run --device cpu --set train.steps=100000 --log-every 1",
                    folder_ / "run/metrics.jsonl", SIGINT, "trap '' INT; ");
    EXPECT_EQ(outcome.status, 130) << outcome.err;
}

TEST_F(SystemTest, TooFewOpenFilesEndAnImport) {
    fs::create_directories(folder_ / "clips");
    for (int i = 1; i <= 6; ++i) {
        test::ffmpeg("-f lavfi -i testsrc2=size=32x32:rate=10 -t 2 " +
                     (folder_ / fmt::format("clips/c{}.mp4", i)).string());
    }
    expect_refused("ulimit -n 5; $STL import clips/*.mp4 --length 5 --output i.h5", "Too many open files");
    EXPECT_FALSE(fs::exists(folder_ / "i.h5"));
}

TEST_F(SystemTest, ThreadsThatCannotBeStartedAreTold) {
    good("train tiny.json --run run --device cpu");
    const auto prefix = unprivileged();
    if (!prefix) GTEST_SKIP() << "NOT RUN: root may start as many threads as it likes";
    fs::permissions(folder_, fs::perms::all);
    expect_refused("ulimit -u 1; exec " + *prefix +
                       "$STL predict run --input run --output out.h5 --device cpu --threads 8",
                   "threads: 8 cannot be started (Resource temporarily unavailable)");
}

TEST_F(SystemTest, ARunThatMayOnlyBeReadIsEvaluated) {
    good("train tiny.json --run run --device cpu");
    const auto prefix = unprivileged();
    if (!prefix) GTEST_SKIP() << "NOT RUN: root may write everywhere";
    fs::create_directories(folder_ / "results");
    fs::permissions(folder_ / "results", fs::perms::all);
    const auto outcome =
        bash("exec " + *prefix + "$STL evaluate run --device cpu --json --record --results results");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("warning: run/evaluation.json: not written (Permission denied)\n"));
    EXPECT_TRUE(parse_json(outcome.out, "output").contains("mse"));
    EXPECT_FALSE(fs::is_empty(folder_ / "results"));
}

TEST_F(SystemTest, ADamagedExperimentIsNamed) {
    good("train tiny.json --run run --device cpu");
    write_text(folder_ / "run/experiment.json", R"({"dataset": 1})");
    for (const std::string command : {"evaluate run", "render run --output out.png"})
        expect_refused("$STL " + command, "run/experiment.json: dataset: 1 is not an object {...}");
    write_text(folder_ / "run/experiment.json", R"({"dataset": {"name": 5}})");
    for (const std::string command : {"evaluate run", "render run --output out.png"})
        expect_refused("$STL " + command, "run/experiment.json: dataset.name: 5 is not a string");
}

}  // namespace
}  // namespace stl
