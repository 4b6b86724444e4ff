// The run folder and the TensorBoard file.
#include "stl/run/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <climits>
#include <fstream>
#include <thread>

#include "stl/core/error.h"
#include "stl/train/loss_log.h"
#include "stl/train/tensorboard.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class RunFolderTest : public testing::Test {
  protected:
    void TearDown() override { fs::remove_all(folder_); }
    const fs::path folder_ = fs::temp_directory_path() / fmt::format("stl-run-{}", ::getpid());
};

TEST_F(RunFolderTest, AnExistingRunIsReplacedWithForceOnly) {
    write_text(RunFolder::create(folder_, false).experiment_file(), "{}");
    EXPECT_THAT([&] { RunFolder::create(folder_, false); },
                ThrowsMessage<Error>(HasSubstr("exists already")));
    write_text(folder_ / "metrics.jsonl", "{}");
    RunFolder::create(folder_, true);
    EXPECT_FALSE(fs::exists(folder_ / "metrics.jsonl"));
}

TEST_F(RunFolderTest, ForceRemovesNoFolderThatIsNoRun) {
    write_text(folder_ / "thesis.txt", "years of work");
    EXPECT_THAT([&] { RunFolder::create(folder_, true); },
                ThrowsMessage<Error>(HasSubstr("not a run folder")));
    EXPECT_EQ(read_text(folder_ / "thesis.txt"), "years of work");
}

TEST_F(RunFolderTest, OneAtATimeTrainsInAFolder) {
    const auto refused = [](auto&& opens) {
        EXPECT_THAT(opens, ThrowsMessage<Error>(testing::EndsWith(
                               fmt::format(": another stl train (process {}) is writing here", ::getpid()))));
    };
    {
        const auto run = RunFolder::create(folder_, false);
        write_text(run.experiment_file(), "{}");
        refused([&] { RunFolder::go_on(folder_); });
        refused([&] { RunFolder::create(folder_, true); });
        EXPECT_TRUE(fs::exists(run.experiment_file())) << "removed under who trains in it";
        EXPECT_NO_THROW(RunFolder::open(folder_));
    }
    const auto again = RunFolder::go_on(folder_);
    refused([&] { RunFolder::go_on(folder_); });
}

TEST_F(RunFolderTest, ARunThatReplacesAnotherHasItsLock) {
    write_text(RunFolder::create(folder_, false).experiment_file(), "{}");
    const auto run = RunFolder::create(folder_, true);
    EXPECT_FALSE(fs::exists(run.experiment_file()));
    EXPECT_TRUE(fs::is_directory(folder_ / "checkpoints"));
    write_text(run.experiment_file(), "{}");
    EXPECT_THAT([&] { RunFolder::go_on(folder_); }, ThrowsMessage<Error>(HasSubstr("is writing here")));
}

TEST_F(RunFolderTest, AFolderWithALockAloneIsEmpty) {
    write_text(folder_ / ".lock", "");
    EXPECT_NO_THROW(RunFolder::create(folder_, false));
}

TEST_F(RunFolderTest, WhatWasKilledWhileItBeganIsNoRunInTheWay) {
    RunFolder::create(folder_, false);
    const auto left = make_temporary_file(folder_ / "experiment.json");
    EXPECT_NO_THROW(RunFolder::require_available(folder_, /*resume=*/false, /*force=*/false));
    EXPECT_NO_THROW(RunFolder::create(folder_, false));
    EXPECT_FALSE(fs::exists(left));
    write_text(folder_ / "checkpoints/last.pth", "weights");
    EXPECT_ANY_THROW(RunFolder::create(folder_, false));
}

/// A folder below `folder` whose path is of `length` bytes.
fs::path folder_of_length(const fs::path& folder, std::size_t length) {
    auto path = folder.string();
    while (path.size() + 150 < length) path += '/' + std::string(100, 'd');
    return path + '/' + std::string(length - path.size() - 1, 'd');
}

TEST_F(RunFolderTest, ARunThatCannotBeRemovedStaysWhole) {
    // There its path is too long by one byte for experiment.json, which goes last, where the others went.
    const auto aside = fmt::format("/.replaced.tmp{}-0123456789abcdef/experiment.json", ::getpid());
    const auto folder = folder_of_length(folder_, PATH_MAX - aside.size());
    write_text(RunFolder::create(folder, false).experiment_file(), "{}");
    write_text(folder / "metrics.jsonl", "{}");
    write_text(folder / "checkpoints/last.pth", "weights");
    EXPECT_THAT([&] { RunFolder::create(folder, true); },
                ThrowsMessage<Error>(testing::AllOf(HasSubstr("experiment.json: cannot be removed"),
                                                    HasSubstr("the run is as it was"))));
    EXPECT_EQ(read_text(folder / "metrics.jsonl"), "{}");
    EXPECT_EQ(read_text(folder / "checkpoints/last.pth"), "weights");
    EXPECT_TRUE(RunFolder::is_run(folder));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 4) << "with the lock";
}

TEST_F(RunFolderTest, GoingOnRemovesWhatWasToBeReplaced) {
    write_text(RunFolder::create(folder_, false).experiment_file(), "{}");
    const auto aside = make_temporary_folder(folder_ / "replaced");
    write_text(aside / "metrics.jsonl", "{}");
    write_text(folder_ / ".replaced.tmp123/metrics.jsonl", "{}");  // of an earlier version
    RunFolder::go_on(folder_);
    EXPECT_FALSE(fs::exists(aside)) << "as what a killed process left";
    EXPECT_FALSE(fs::exists(folder_ / ".replaced.tmp123"));
}

TEST_F(RunFolderTest, NoLockIsLeftInWhatIsNoRun) {
    write_text(folder_ / "thesis.txt", "years of work");
    EXPECT_ANY_THROW(RunFolder::create(folder_, true));
    EXPECT_ANY_THROW(RunFolder::go_on(folder_));
    EXPECT_FALSE(fs::exists(folder_ / ".lock"));
}

TEST_F(RunFolderTest, GoingOnRemovesWhatAKilledProcessLeftHalfWritten) {
    write_text(RunFolder::create(folder_, false).experiment_file(), "{}");
    const auto checkpoint = folder_ / fmt::format("checkpoints/.last.tmp{}.pth", ::getpid());
    const auto metrics = folder_ / fmt::format(".metrics.tmp{}.jsonl", ::getpid());
    write_text(folder_ / "checkpoints/last.pth", "whole");
    write_text(checkpoint, "half");
    write_text(metrics, "half");
    const auto sample = folder_ / fmt::format("samples/.step-3.tmp{}.png", ::getpid());
    write_text(sample, "half");
    RunFolder::open(folder_);
    EXPECT_TRUE(fs::exists(checkpoint));
    RunFolder::go_on(folder_);
    EXPECT_FALSE(fs::exists(checkpoint));
    EXPECT_FALSE(fs::exists(metrics));
    EXPECT_FALSE(fs::exists(sample));
    EXPECT_EQ(read_text(folder_ / "checkpoints/last.pth"), "whole");
}

TEST_F(RunFolderTest, ItsNameIsTheFoldersOwn) {
    write_text(RunFolder::create(folder_, false).experiment_file(), "{}");
    EXPECT_EQ(RunFolder::open(folder_).name(), folder_.filename().string());
    EXPECT_EQ(RunFolder::open(folder_ / "").name(), folder_.filename().string());
    EXPECT_EQ(RunFolder::open(folder_ / "checkpoints/../.").name(), folder_.filename().string());
}

TEST_F(RunFolderTest, ACheckpointIsOfARunOrAFileItself) {
    const auto run = RunFolder::create(folder_, false);
    write_text(run.experiment_file(), "{}");
    write_text(run.checkpoint("best"), "");
    EXPECT_EQ(checkpoint_of(folder_, "best"), run.checkpoint("best"));
    EXPECT_THAT([&] { checkpoint_of(folder_, "last"); },
                ThrowsMessage<Error>(HasSubstr("has no last checkpoint")));
    EXPECT_EQ(checkpoint_of(run.checkpoint("best"), "last"), run.checkpoint("best"));
    EXPECT_THAT([&] { checkpoint_of(run.checkpoint("best"), "best"); },
                ThrowsMessage<Error>(HasSubstr("best.pth: is one checkpoint; weights 'best' are a run's")));
}

TEST_F(RunFolderTest, DropsTheLinesAfterAStep) {
    const auto run = RunFolder::create(folder_, false);
    for (int step = 1; step <= 5; ++step) {
        run.append_metrics({{"step", step}});
        if (step != 4) run.append_metrics({{"steps", step}, {"epoch", 1}});
    }
    run.drop_metrics_after(run.read_metrics(), 3);
    const auto lines = run.read_metrics().lines;
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_EQ(lines[4]["step"], 3);
    EXPECT_EQ(lines[5]["steps"], 3);
    // Whose validation is still to be done.
    run.drop_metrics_after(run.read_metrics(), 3, /*epoch_too=*/true);
    EXPECT_EQ(run.read_metrics().lines.size(), 5U);
    EXPECT_EQ(run.read_metrics().lines.back()["step"], 3);
}

TEST_F(RunFolderTest, LinesThatAreNoneArePassedOver) {
    const auto run = RunFolder::create(folder_, false);
    run.append_metrics({{"step", 1}});
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    for (const std::string& text : {std::string(R"({"step": "x"})"), std::string(R"({"steps": null})"),
                                    R"({"step": 2, "a": )" + deep + "}", std::string(R"({"step": 3)")}) {
        std::ofstream(run.metrics_file(), std::ios::app) << text << "\n";
    }
    run.append_metrics({{"step", 4}});
    ASSERT_EQ(run.read_metrics().lines.size(), 2U);
    run.drop_metrics_after(run.read_metrics(), 4);
    EXPECT_EQ(run.read_metrics().lines.back()["step"], 4);
}

TEST_F(RunFolderTest, DamagedLinesAreFoundAndLeftOut) {
    const auto run = RunFolder::create(folder_, false);
    for (int step = 1; step <= 3; ++step)
        run.append_metrics({{"step", step}, {"epoch", 1}, {"loss", 0.1 * step}, {"lr", 1e-5}, {"name", "ü"}});
    const auto lines = run.read_metrics().lines;
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_FALSE(lines[0].contains("crc"));
    EXPECT_EQ(run.read_metrics().damage(), "");
    const auto text = read_text(run.metrics_file());
    const auto second = text.find('\n') + 1, third = text.find('\n', second) + 1;
    int passed_over = 0;
    for (auto at = second; at + 1 < third; ++at) {
        auto other = text;
        other[at] = static_cast<char>(other[at] ^ 1);
        write_text(run.metrics_file(), other);
        const auto found = run.read_metrics().lines;
        // Another name of the check itself takes nothing away from the line.
        passed_over += found.size() == 3 ? 1 : 0;
        if (found.size() == 3) {
            EXPECT_EQ(found[1]["loss"], lines[1]["loss"]) << at;
        } else {
            EXPECT_THAT(run.read_metrics().damage(), HasSubstr("line 2 is damaged")) << at;
        }
    }
    EXPECT_LE(passed_over, 3);
    // What a process was writing when it was killed.
    write_text(run.metrics_file(), text.substr(0, text.size() - 20));
    EXPECT_EQ(run.read_metrics().lines.size(), 2U);
    EXPECT_EQ(run.read_metrics().damage(), "");
    // What earlier versions wrote.
    write_text(run.metrics_file(), "{\"step\": 1, \"loss\": 0.5}\n");
    EXPECT_EQ(run.read_metrics().lines.size(), 1U);
}

TEST_F(RunFolderTest, ARunThatIsGoneOrAnotherIsNotWrittenTo) {
    auto run = RunFolder::create(folder_, false);
    write_text(run.experiment_file(), "{}");
    const auto saved = [&] { run.replace_last(2, [&] { write_text(run.checkpoint("last"), "weights"); }); };
    saved();
    fs::remove(folder_ / ".lock");
    EXPECT_NO_THROW(saved()) << "nobody else has it: it is taken again";
    EXPECT_TRUE(fs::exists(folder_ / ".lock"));
    fs::remove(folder_ / ".lock");
    {
        const FileLock other(folder_ / ".lock");
        EXPECT_THAT(saved, ThrowsMessage<Error>(HasSubstr("is writing here")));
    }
    fs::remove_all(folder_);
    EXPECT_THAT(saved, ThrowsMessage<Error>(HasSubstr("was removed or replaced while it was trained")));
    EXPECT_FALSE(fs::exists(folder_));
    const auto next = RunFolder::create(folder_, false);
    EXPECT_THAT(saved, ThrowsMessage<Error>(HasSubstr("was removed or replaced while it was trained")));
    EXPECT_FALSE(fs::exists(next.checkpoint("last")));
}

TEST_F(RunFolderTest, MetricsThatCannotBeReadStay) {
    const auto run = RunFolder::create(folder_, false);
    fs::create_symlink("/proc/self/mem", run.metrics_file());  // opens, and cannot be read, by root either
    EXPECT_THAT([&] { run.drop_metrics_after(run.read_metrics(), 0); },
                ThrowsMessage<Error>(HasSubstr("metrics.jsonl: ")));
    EXPECT_TRUE(fs::is_symlink(run.metrics_file()));
}

TEST_F(RunFolderTest, StepsAreCountedOverTheirOwnTime) {
    const auto run = RunFolder::create(folder_, false);
    LossLog log(&run, {.log_every = 10, .batch_size = 1, .steps_per_epoch = 9});
    log.start_at(0, 0);
    const auto loss = torch::ones({});
    for (int step = 1; step <= 9; ++step) log.add(step, 0.1, loss);
    log.end_epoch(Json::object());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    log.add(10, 0.1, loss);
    EXPECT_LE(run.read_metrics().lines.back()["seq_per_s"].get<double>(), 10.0) << "one step in 0.1 s";
}

TEST_F(RunFolderTest, TensorBoardRecordsAreFramed) {
    fs::create_directories(folder_);
    { TensorBoardWriter(folder_).add(7, {{"loss", 0.5}}); }
    const auto bytes = read_text(fs::directory_iterator(folder_)->path());
    // Two records: length (8), its checksum (4), data, its checksum (4).
    std::size_t at = 0;
    std::vector<std::string> records;
    while (at < bytes.size()) {
        const auto length = static_cast<unsigned char>(bytes[at]);  // both are short
        ASSERT_LE(at + 16 + length, bytes.size());
        records.push_back(bytes.substr(at + 12, length));
        at += 16U + length;
    }
    ASSERT_EQ(records.size(), 2U);
    EXPECT_THAT(records[0], HasSubstr("brain.Event:2"));
    EXPECT_THAT(records[1], HasSubstr("loss"));
    EXPECT_THAT(records[1], HasSubstr(std::string("\x15\x00\x00\x00\x3f", 5)));  // field 2, float 0.5
}

/// TensorBoard leaves out what older files hold from that step on.
TEST_F(RunFolderTest, ALogThatGoesOnSaysFromWhichStep) {
    fs::create_directories(folder_);
    {
        TensorBoardWriter writer(folder_);
        writer.restart_at(6);
    }
    const auto bytes = read_text(fs::directory_iterator(folder_)->path());
    // Event { step: 6 (field 2), session_log (7) { status: START (1) } }
    EXPECT_THAT(bytes, HasSubstr(std::string("\x10\x06\x3a\x02\x08\x01", 6)));
}

}  // namespace
}  // namespace stl
