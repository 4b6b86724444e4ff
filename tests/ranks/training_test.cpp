// The program under mpirun: training as on one device, resuming on other numbers of ranks, and what faults do.
#include <signal.h>

#include <regex>

#include "stl/formats/sequence_formats.h"
#include "stl/formats/sequences.h"
#include "tests/ranks/mpirun.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::Not;

class RanksTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        const SequenceShape shape{6, 1, 16, 16};
        constexpr std::int64_t count = 28;
        std::vector<float> values(static_cast<std::size_t>(count * shape.elements()));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<float>((i * 2654435761U >> 7) % 97) / 96.0F;
        WriteOptions options;
        options.dtype = DType::f32;
        const auto writer = create_sequences((folder_ / "data.h5").string(), count, shape, options);
        writer->append(std::span<const float>(values));
        std::vector<Split> split(count, Split::train);
        std::fill(split.end() - 12, split.end() - 6, Split::validation);
        std::fill(split.end() - 6, split.end(), Split::test);
        writer->set_splits(split);
        writer->finish();
        // No batch norm, whose statistics are each rank's own.
        write_json(folder_ / "e.json", {{"dataset",
                                         {{"name", "file"},
                                          {"path", (folder_ / "data.h5").string()},
                                          {"input_frames", 3},
                                          {"output_frames", 3}}},
                                        {"model",
                                         {{"translator", "convnext"},
                                          {"hid_S", 4},
                                          {"hid_T", 8},
                                          {"N_S", 2},
                                          {"N_T", 2},
                                          {"mlp_ratio", 2},
                                          {"drop_path_first", 0}}},
                                        {"train",
                                         {{"epochs", 5},
                                          {"batch_size", 4},
                                          {"lr", 0.002},
                                          {"schedule", "constant"},
                                          {"log_every", 1},
                                          {"threads", 1}}}});
    }

    /// The program's own lines are in err, mpirun's among them.
    Outcome on_ranks(int ranks, const std::string& arguments) const {
        const auto command = fmt::format("cd '{}' && {} '{}' {} >.out 2>.err </dev/null", folder_.string(),
                                         mpirun(ranks), STL_PROGRAM, arguments);
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / ".out"),
                read_text(folder_ / ".err")};
    }
    void good_on_ranks(int ranks, const std::string& arguments) const {
        const auto outcome = on_ranks(ranks, arguments);
        EXPECT_EQ(outcome.status, 0) << arguments << "\n" << outcome.err;
    }

    /// Lines of the program itself: "stl: ...".
    static std::vector<std::string> told(const Outcome& outcome) {
        std::vector<std::string> lines;
        std::istringstream in(outcome.err);
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with("stl: ")) lines.push_back(line);
        }
        return lines;
    }

    std::vector<double> numbers(const std::string& run, const char* key) const {
        std::vector<double> found;
        std::istringstream in(read_text(folder_ / run / "metrics.jsonl"));
        for (std::string line; std::getline(in, line);) {
            const auto json = parse_json(line, run);
            if (json.contains(key)) found.push_back(json[key].get<double>());
        }
        return found;
    }
    void expect_near(const std::string& run, const std::string& other, std::size_t count) const {
        for (const char* key : {"loss", "val_loss"}) {
            const auto a = numbers(run, key), b = numbers(other, key);
            ASSERT_EQ(a.size(), b.size()) << key;
            for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5) << key << " " << i;
        }
        EXPECT_EQ(numbers(run, "loss").size(), count);
    }

    /// A long training in `run`, in the background; returns mpirun's process once rank 1 has made a few steps.
    pid_t start(const std::string& run, const std::string& arguments = "") const {
        const auto command = fmt::format(
            "cd '{}' && {} exec {} '{}' train e.json --run {} --set train.epochs=100000 {} "
            ">.out 2>.err </dev/null",
            folder_.string(), mpirun_variables(), mpirun_command(2), STL_PROGRAM, run, arguments);
        const pid_t launcher = ::fork();
        if (launcher == 0) {
            ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
            ::_exit(127);
        }
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
        while (!fs::exists(folder_ / run / "checkpoints" / "last.pth") &&
               std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return launcher;
    }
    /// As the rank's own note has it.
    pid_t process_of(const std::string& run, int rank) const {
        const auto note = read_text(folder_ / run / ".ranks" / std::to_string(rank));
        std::smatch match;
        EXPECT_TRUE(std::regex_search(note, match, std::regex("process (\\d+)"))) << note;
        return match.empty() ? -1 : std::stoi(match[1]);
    }
    /// Waits for its end; fails the test, and ends it, after so long.
    Outcome end_of(pid_t launcher, int seconds) const {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
        int status = 0;
        pid_t ended = 0;
        while (ended == 0 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            ended = ::waitpid(launcher, &status, WNOHANG);
        }
        if (ended == 0) {
            ADD_FAILURE() << "still running after " << seconds << " s";
            ::kill(launcher, SIGKILL);
            ::waitpid(launcher, &status, 0);
        }
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / ".out"),
                read_text(folder_ / ".err")};
    }
    /// The run is whole, and goes on alone.
    void expect_goes_on(const std::string& run) const {
        good("verify " + run);
        good(fmt::format("train e.json --run {} --set train.epochs=100000 --resume --max-minutes 0.0001",
                         run));
    }
};

TEST_F(RanksTest, TrainAsOneDeviceDoes) {
    good("train e.json --run one");
    good_on_ranks(2, "train e.json --run two");
    expect_near("two", "one", 20);
    good_on_ranks(4, "train e.json --run four --set train.sync_batchnorm=true");
    expect_near("four", "one", 20);
    good_on_ranks(2, "train e.json --run parts --set train.accumulate=2");
    expect_near("parts", "one", 20);
    const auto record = read_json(folder_ / "two" / "run.json");
    EXPECT_EQ(record["state"], "finished");
    EXPECT_EQ(record["ranks"]["size"], 2);
    EXPECT_EQ(record["ranks"]["batch_per_rank"], 2);
    EXPECT_EQ(record["ranks"]["launcher"], "mpirun");
    EXPECT_EQ(record["step_batch"], 4);
    EXPECT_FALSE(fs::exists(folder_ / "two" / ".ranks"));
    good("verify two");
}

TEST_F(RanksTest, ABatchPerDeviceGrowsWithThem) {
    good("train e.json --run one --set train.batch_size=8");
    good_on_ranks(2, "train e.json --run two --set train.batch_per_device=4");
    expect_near("two", "one", 10);
    const auto refused = on_ranks(4, "train e.json --run two --set train.batch_per_device=4 --resume");
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(told(refused), testing::ElementsAre(HasSubstr("its steps had 8 sequences, now 16")));
}

TEST_F(RanksTest, GoOnOnAnotherNumberOfThem) {
    good("train e.json --run one --set train.epochs=6");
    good_on_ranks(2, "train e.json --run many --set train.epochs=2");
    good("train e.json --run many --set train.epochs=4 --resume");
    good_on_ranks(4, "train e.json --run many --set train.epochs=6 --resume");
    expect_near("many", "one", 24);
}

TEST_F(RanksTest, GoOnBitForBitWithDropout) {
    const std::string drop = "--set model.translator=gsta --set model.drop=0.1 --set model.drop_path=0.2 ";
    good_on_ranks(2, "train e.json --run whole --set train.epochs=4 " + drop);
    good_on_ranks(2, "train e.json --run parts --set train.epochs=2 " + drop);
    good_on_ranks(2, "train e.json --run parts --set train.epochs=4 --resume " + drop);
    EXPECT_EQ(numbers("parts", "loss"), numbers("whole", "loss"));
    EXPECT_EQ(numbers("parts", "loss").size(), 16U);
}

TEST_F(RanksTest, DevicesStartTheProgramAgain) {
    const auto outcome =
        good("train e.json --run two --devices 2 --set train.epochs=1 --set train.threads=1");
    EXPECT_THAT(outcome.err, HasSubstr("on 2 ranks, each on cpu (1 thread), in fp32: 1 epoch of 4 steps, 4 "
                                       "sequences a step, 2 a rank"));
    EXPECT_EQ(read_json(folder_ / "two" / "run.json")["ranks"]["size"], 2);
    // A run that another process trains is refused, by one line, with ranks, too.
    const auto other = start("busy");
    const auto status = std::system(
        fmt::format("cd '{}' && '{}' train e.json --run busy --resume --devices 2 --set train.epochs=100000 "
                    "2>.second </dev/null",
                    folder_.string(), STL_PROGRAM)
            .c_str());
    EXPECT_EQ(WEXITSTATUS(status), 1);
    const auto line = read_text(folder_ / ".second");
    EXPECT_TRUE(is_one_line(line)) << line;
    EXPECT_THAT(line, testing::StartsWith("stl: busy: another stl train (process "));
    ::kill(other, SIGUSR1);
    EXPECT_EQ(end_of(other, 60).status, 130);
}

TEST_F(RanksTest, EvaluateAsOneDeviceDoes) {
    good("train e.json --run one --set train.epochs=1");
    const auto alone = json("evaluate one --json --batch 2");
    const auto outcome = on_ranks(2, "evaluate one --json --batch 2");
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto together = parse_json(outcome.out, "evaluate");
    for (const char* key : {"mse", "mae", "ssim", "psnr"})
        EXPECT_NEAR(together[key].get<double>(), alone[key].get<double>(),
                    1e-12 * std::abs(alone[key].get<double>()));
    EXPECT_EQ(together["sequences"], alone["sequences"]);
    for (const auto& [name, values] : alone["baselines"].items()) {
        EXPECT_NEAR(together["baselines"][name]["mse"].get<double>(), values["mse"].get<double>(),
                    1e-12 * values["mse"].get<double>());
    }
    // More ranks than batches.
    EXPECT_EQ(on_ranks(4, "evaluate one --json").status, 0);
}

TEST_F(RanksTest, PredictAsOneDeviceDoes) {
    good("train e.json --run one --set train.epochs=1");
    // 28 sequences in batches of 3: the last round is not full.
    good("predict one --input data.h5 --output alone.npy --batch 3");
    good_on_ranks(4, "predict one --input data.h5 --output together.npy --batch 3");
    EXPECT_EQ(read_text(folder_ / "together.npy"), read_text(folder_ / "alone.npy"));
}

TEST_F(RanksTest, WrongSetUpsAreOneLine) {
    const auto uneven = on_ranks(3, "train e.json --run a");
    EXPECT_EQ(uneven.status, 1);
    EXPECT_THAT(told(uneven),
                testing::ElementsAre(HasSubstr("4 sequences cannot be divided equally among 3 devices")));
    const auto missing = on_ranks(2, "train missing.json --run a");
    EXPECT_THAT(told(missing), testing::ElementsAre(HasSubstr("missing.json")));
    EXPECT_FALSE(fs::exists(folder_ / "a"));
    // Another experiment on one of them.
    const auto other = std::system(
        fmt::format("cd '{0}' && {1} sh -c 'exec \"{2}\" train e.json --run a --set train.lr=0.00$((1 + "
                    "OMPI_COMM_WORLD_RANK))' >.out 2>.err </dev/null",
                    folder_.string(), mpirun(2), STL_PROGRAM)
            .c_str());
    EXPECT_NE(other, 0);
    EXPECT_THAT(told({1, "", read_text(folder_ / ".err")}),
                testing::ElementsAre(
                    testing::AllOf(HasSubstr("rank 1 on host "), HasSubstr("its experiments differ"))));
    ::setenv("RANK", "0", 1);
    ::setenv("WORLD_SIZE", "2", 1);
    ::setenv("LOCAL_RANK", "0", 1);
    refused("train e.json --run a", 1, "torchrun does not set up MPI");
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK"}) ::unsetenv(name);
}

TEST_F(RanksTest, AKilledRankEndsAll) {
    const auto launcher = start("run");
    ::kill(process_of("run", 1), SIGKILL);
    const auto outcome = end_of(launcher, 40);
    EXPECT_NE(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("signal 9"));
    EXPECT_THAT(read_text(folder_ / "run" / ".ranks" / "1"), HasSubstr("rank 1 on host "));
    expect_goes_on("run");
}

TEST_F(RanksTest, AStoppedRankIsNamedInTime) {
    const auto launcher = start("run", "--rank-timeout 3");
    const auto process = process_of("run", 1);
    ::kill(process, SIGSTOP);
    const auto outcome = end_of(launcher, 60);
    EXPECT_NE(outcome.status, 0);
    EXPECT_THAT(outcome.err,
                testing::AllOf(HasSubstr("no answer for "), HasSubstr("last heard of: rank 1 on host "),
                               HasSubstr(fmt::format("process {}: ", process))));
    expect_goes_on("run");
}

TEST_F(RanksTest, AQueuesWarningStopsAllAfterACheckpoint) {
    const auto launcher = start("run");
    ::kill(process_of("run", 1), SIGUSR1);
    const auto outcome = end_of(launcher, 60);
    EXPECT_EQ(outcome.status, 130);
    EXPECT_THAT(told(outcome), testing::ElementsAre(HasSubstr("saved; continue with: ")));
    EXPECT_EQ(read_json(folder_ / "run" / "run.json")["state"], "stopped");
    expect_goes_on("run");
}

}  // namespace
}  // namespace stl
