// The program while its files fail: the n-th write, fsync, rename, open or close, or a kill there or at any moment.
// Whatever it is, a file has the right contents or is not there, and a run goes on to the bits of one that nothing
// disturbed.
#include <chrono>

#include "stl/checkpoint/checkpoint.h"
#include "stl/formats/sequences.h"
#include "stl/run/run_folder.h"
#include "stl/verify/verify.h"
#include "tests/faults/randomness.h"
#include "tests/support/tiny_run.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Fault {
    std::uint64_t at = 0;
    std::string kind = "EIO";
};

/// What a training leaves: every weight, the optimizer's state, and the losses by step.
struct Trained {
    NamedTensors state;
    std::vector<torch::Tensor> moments;
    std::vector<double> losses;
};

constexpr int killed = 128 + SIGKILL;

class Faults : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        test::write_tiny_data(folder_ / "data.h5", /*tested=*/2);
        write_text(folder_ / "tiny.json", R"({
            "dataset": {"name": "file", "path": "data.h5", "input_frames": 2, "output_frames": 2},
            "model": {"translator": "convmixer", "hid_S": 2, "hid_T": 4, "N_S": 2, "N_T": 2},
            "train": {"steps": 6, "batch_size": 3, "save_every": 1, "log_every": 1, "threads": 1, "ema": 0.9}})");
        fs::create_directories(work());
        write_text(count_file(), std::string(8, '\0'));
    }

    /// What is written, and fails, is in here.
    fs::path work() const { return folder_ / "work"; }
    fs::path count_file() const { return folder_ / "count"; }

    /// The program, with one failing call; how many there were is counted() then.
    Outcome with(const Fault& fault, const std::string& arguments, const std::string& before = "") const {
        write_text(count_file(), std::string(8, '\0'));
        const auto command = fmt::format(
            "cd '{}' && exec env LD_PRELOAD='{}' STL_FAULT_FOLDER='{}' STL_FAULT_COUNT='{}' STL_FAULT_AT={} "
            "STL_FAULT_KIND={} {} '{}' {} >.out 2>.err </dev/null",
            folder_.string(), STL_FAILING_CALLS, work().string(), count_file().string(), fault.at, fault.kind,
            before, STL_PROGRAM, arguments);
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / ".out"),
                read_text(folder_ / ".err")};
    }
    std::uint64_t counted() const {
        std::uint64_t count = 0;
        const auto bytes = read_text(count_file());
        std::copy_n(bytes.data(), sizeof count, reinterpret_cast<char*>(&count));
        return count;
    }
    std::vector<std::string> left_over() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator(work())) {
            const auto name = entry.path().filename().string();
            if (name.find(".tmp") != name.npos) names.push_back(name);
        }
        return names;
    }
    Trained trained() const {
        Trained found;
        const auto checkpoint = read_checkpoint(work() / "r/checkpoints/last.pth");
        for (const auto& [name, tensor] : checkpoint.state) found.state.emplace_back(name, tensor.clone());
        for (const auto& p : checkpoint.optimizer->parameters) {
            found.moments.push_back(p.exp_avg.clone());
            found.moments.push_back(p.exp_avg_sq.clone());
        }
        for (const auto& line : RunFolder::open(work() / "r").read_metrics().lines) {
            if (line.contains("loss")) found.losses.push_back(line["loss"].get<double>());
            if (line.contains("val_loss")) found.losses.push_back(line["val_loss"].get<double>());
        }
        return found;
    }
    /// A run that nothing disturbed, removed again.
    Trained undisturbed() {
        good("train tiny.json --run work/r");
        auto found = trained();
        fs::remove_all(work() / "r");
        return found;
    }
    /// As undisturbed(), and nothing of it is damaged.
    void expect_same(const Trained& expected) const {
        Reporter silent;
        for (const auto& verdict : verify(work() / "r", silent))
            EXPECT_NE(verdict.condition, Condition::damaged) << verdict.file << ": " << verdict.text;
        const auto found = trained();
        ASSERT_EQ(found.state.size(), expected.state.size());
        ASSERT_EQ(found.moments.size(), expected.moments.size());
        for (std::size_t i = 0; i < expected.state.size(); ++i)
            EXPECT_TRUE(torch::equal(found.state[i].second, expected.state[i].second))
                << expected.state[i].first;
        for (std::size_t i = 0; i < expected.moments.size(); ++i)
            EXPECT_TRUE(torch::equal(found.moments[i], expected.moments[i])) << i;
        EXPECT_EQ(found.losses, expected.losses);
    }
    void resume_and_expect(const Trained& expected) const {
        const auto resumed = stl("train tiny.json --run work/r --resume");
        ASSERT_EQ(resumed.status, 0) << resumed.err;
        expect_same(expected);
    }
};

/// One that is sure to have a place among `calls`.
Fault drawn(StreamRandom& random, std::uint64_t calls, const std::vector<std::string>& kinds) {
    return {1 + random.below(calls), test::one_of(random, kinds)};
}

TEST_F(Faults, AnOutputIsRightOrNotThere) {
    good("train tiny.json --run run");
    struct Output {
        std::string command, file, reference{};
        std::uint64_t calls = 0;
    };
    std::vector<Output> outputs{
        {"generate mmnist --sequences 2 --frames 4 --canvas 32 --compression 4 --output ", "a.h5"},
        {"generate mmnist --sequences 2 --frames 4 --canvas 32 --output ", "a.npy"},
        {"convert run ", "a.safetensors"},
        {"convert run ", "a.pth"},
        {"export run --output ", "a.onnx"},
        {"predict run --input data.h5 --output ", "b.h5"},
        {"predict run --input data.h5 --output ", "b.gif"},
        {"render run --data data.h5 --figure --output ", "b.png"},
        {"inspect data.h5 --sheet ", "c.png"},
    };
    for (auto& [command, file, reference, calls] : outputs) {
        const auto outcome = with({}, command + "work/" + file);
        ASSERT_EQ(outcome.status, 0) << command << outcome.err;
        calls = counted();
        ASSERT_GT(calls, 2U) << command;
        reference = read_text(work() / file);
        fs::remove(work() / file);
    }
    StreamRandom random(test::fault_seed(), 1);
    int failed = 0;
    for (auto left = test::rounds(40); left > 0; --left) {
        const auto& [command, file, reference, calls] = test::one_of(random, outputs);
        const auto fault = drawn(random, calls, {"EIO", "ENOSPC", "full", "short", "kill"});
        SCOPED_TRACE(fmt::format("{}{}, call {} of {}: {}", command, file, fault.at, calls, fault.kind));
        const auto outcome = with(fault, command + "work/" + file);
        SCOPED_TRACE(outcome.err);
        const bool there = fs::exists(work() / file);
        if (there) {
            EXPECT_EQ(read_text(work() / file), reference);
        }
        if (outcome.status == 0) {
            EXPECT_TRUE(there);
        }
        if (fault.kind == "short") {
            EXPECT_EQ(outcome.status, 0);
        }
        if (fault.kind == "kill") {
            EXPECT_EQ(outcome.status, killed);
        } else if (outcome.status != 0) {
            ++failed;
            EXPECT_EQ(outcome.status, 1);
            EXPECT_TRUE(is_one_line(outcome.err));
            EXPECT_THAT(outcome.err, HasSubstr(file));
            EXPECT_THAT(left_over(), testing::IsEmpty());
        }
        if (outcome.status != 0) {
            good(command + "work/" + file + " --force");
            EXPECT_EQ(read_text(work() / file), reference);
        }
        fs::remove_all(work());  // with what a kill leaves: a hidden temporary file
        fs::create_directories(work());
    }
    EXPECT_GT(failed, 5);
}

TEST_F(Faults, ATrainingWhoseFilesFailGoesOnToTheSameBits) {
    const auto expected = undisturbed();
    ASSERT_EQ(with({}, "train tiny.json --run work/r").status, 0);
    const auto calls = counted();
    ASSERT_GT(calls, 50U);
    expect_same(expected);
    StreamRandom random(test::fault_seed(), 2);
    for (auto left = test::rounds(20); left > 0; --left) {
        fs::remove_all(work() / "r");
        const auto fault = drawn(random, calls, {"EIO", "ENOSPC", "full", "short", "kill", "kill"});
        SCOPED_TRACE(fmt::format("call {} of {}: {}", fault.at, calls, fault.kind));
        const auto outcome = with(fault, "train tiny.json --run work/r");
        SCOPED_TRACE(outcome.err);
        if (fault.kind == "kill") {
            // How often a log is flushed depends on the time.
            EXPECT_TRUE(outcome.status == killed || counted() < fault.at) << outcome.status;
        } else if (fault.kind == "short") {
            EXPECT_EQ(outcome.status, 0);
        } else if (outcome.status != 0) {
            EXPECT_EQ(outcome.status, 1);
            EXPECT_THAT(outcome.err, HasSubstr("work/r"));
            EXPECT_THAT(left_over(), testing::IsEmpty());
        }
        if (outcome.status == 0) {
            expect_same(expected);
        } else {
            resume_and_expect(expected);
        }
    }
}

TEST_F(Faults, ATrainingThatIsKilledAtAnyMomentGoesOnToTheSameBits) {
    using std::chrono::steady_clock;
    const auto begin = steady_clock::now();
    const auto expected = undisturbed();
    const std::chrono::duration<double> whole = steady_clock::now() - begin;
    StreamRandom random(test::fault_seed(), 3);
    for (auto left = test::rounds(8); left > 0; --left) {
        fs::remove_all(work() / "r");
        auto command = std::string("train tiny.json --run work/r");
        for (int times = 0; times < 2; ++times) {
            const auto after = random.uniform() * whole.count();
            SCOPED_TRACE(fmt::format("kill -9 after {:.3f} s", after));
            const auto outcome = with({}, command, fmt::format("timeout -s KILL {:.3f}", after));
            EXPECT_TRUE(outcome.status == 0 || outcome.status == killed) << outcome.status << outcome.err;
            command = "train tiny.json --run work/r --resume";
        }
        resume_and_expect(expected);
    }
}

}  // namespace
}  // namespace stl
