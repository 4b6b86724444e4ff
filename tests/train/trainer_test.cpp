// The training loop end to end on small data: what it writes, that it learns, stops, resumes and refuses.
#include "stl/train/trainer.h"
#include "stl/train/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/error.h"
#include "stl/run/run_folder.h"
#include "stl/runtime/device.h"
#include "stl/runtime/precision.h"
#include "stl/train/repeat.h"
#include "tests/support/notes.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class TrainerTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / fmt::format("stl-train-{}", ::getpid());
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        write_data("data.h5", 12, 0.25F);
    }
    void TearDown() override { fs::remove_all(folder_); }

    /// Squares that move right, 8 frames of 16x16, in float32.
    void write_data(const std::string& name, std::int64_t count, float brightness) const {
        const SequenceShape shape{8, 1, 16, 16};
        std::vector<float> values(static_cast<std::size_t>(count * shape.elements()));
        for (std::int64_t n = 0; n < count; ++n) {
            for (std::int64_t t = 0; t < shape.frames; ++t) {
                for (std::int64_t i = 0; i < 16; ++i) {
                    const auto row = ((n * shape.frames + t) * 16 + (n + i / 4) % 16) * 16;
                    values[static_cast<std::size_t>(row + (t + i) % 16)] = brightness;
                }
            }
        }
        WriteOptions options;
        options.dtype = DType::f32;
        options.force = true;
        options.fps = fps_;
        const auto writer = create_sequences((folder_ / name).string(), count, shape, options);
        writer->append(std::span<const float>(values));
        if (!split_.empty()) writer->set_splits(split_);
        writer->finish();
    }

    TrainRequest request(const Json& train_changes = {}, const Json& model_changes = {}) const {
        Json json = {
            {"dataset",
             {{"name", "file"},
              {"path", (folder_ / "data.h5").string()},
              {"input_frames", 4},
              {"output_frames", 4}}},
            {"model",
             {{"translator", "moganet"},
              {"hid_S", 4},
              {"hid_T", 16},
              {"N_S", 2},
              {"N_T", 2},
              {"mlp_ratio", 2}}},
            {"train", {{"epochs", 3}, {"batch_size", 3}, {"lr", 0.005}, {"log_every", 1}, {"threads", 1}}}};
        if (!train_changes.is_null()) json["train"].update(train_changes);
        if (!model_changes.is_null()) json["model"].update(model_changes);
        TrainRequest r;
        r.experiment = parse_experiment(json, "test");
        r.run = folder_ / "run";
        r.device = "cpu";
        return r;
    }
    /// The same run in fp32 and in another precision, of which `told` hears.
    std::pair<TrainRequest, TrainRequest> train_beside_fp32(const std::string& precision, Reporter& told) {
        auto a = request(), b = request({{"precision", precision}});
        a.run = folder_ / "fp32";
        b.run = folder_ / precision;
        train(a, silent_);
        train(b, told);
        return {a, b};
    }
    std::vector<double> losses(const fs::path& run) const {
        std::vector<double> out;
        for (const auto& line : RunFolder::open(run).read_metrics().lines) {
            if (line.contains("loss")) out.push_back(line["loss"].get<double>());
        }
        return out;
    }

    fs::path folder_;
    Reporter silent_;
    const std::vector<Split> nine_and_three_ = [] {
        std::vector<Split> split(12, Split::train);
        std::fill(split.end() - 3, split.end(), Split::validation);
        return split;
    }();
    std::vector<Split> split_;  ///< of the files to write; empty: no split
    double fps_ = 0;            ///< likewise
};

TEST_F(TrainerTest, WritesARunAndLearns) {
    const auto outcome = train(request({{"epochs", 15}}), silent_);
    EXPECT_TRUE(outcome.finished());
    EXPECT_EQ(outcome.total_steps, 60);
    const auto l = losses(folder_ / "run");
    ASSERT_EQ(l.size(), 60U);
    EXPECT_LT(l.back(), 0.5 * l.front());
    const auto run = RunFolder::open(folder_ / "run");
    EXPECT_EQ(read_json(run.run_file())["state"], "finished");
    EXPECT_EQ(read_json(run.experiment_file())["model"]["in_shape"], Json({4, 1, 16, 16}));
    const auto checkpoint = read_checkpoint(run.checkpoint("last"));
    EXPECT_EQ(checkpoint.stl["step"], 60);
    EXPECT_EQ(checkpoint.epoch, 15);
    ASSERT_TRUE(checkpoint.optimizer.has_value());
    EXPECT_EQ(checkpoint.optimizer->parameters.front().step, 60.0);
}

TEST_F(TrainerTest, StepsAreCountedFromOneWithTheirOwnLossAndRate) {
    train(request(), silent_);
    const auto lines = RunFolder::open(folder_ / "run").read_metrics().lines;
    std::vector<Json> steps;
    std::vector<Json> epochs;
    for (const auto& line : lines) (line.contains("loss") ? steps : epochs).push_back(line);
    ASSERT_EQ(steps.size(), 12U);
    ASSERT_EQ(epochs.size(), 3U);
    EXPECT_EQ(steps[0]["step"], 1);
    EXPECT_EQ(steps[3]["epoch"], 1);
    EXPECT_EQ(steps[4]["epoch"], 2);
    EXPECT_EQ(steps[0]["lr"].get<double>(), schedule_value({.lr = 0.005, .total_steps = 12}, 0).lr);
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += steps[i]["loss"].get<double>();
    EXPECT_NEAR(epochs[0]["train_loss"].get<double>(), sum / 4, 1e-12);
}

TEST_F(TrainerTest, AStoppedRunGoesOnBitForBit) {
    // Dropout and stochastic depth draw random numbers; a stop in the middle of an epoch must not change
    // them.
    const Json model = {{"drop", 0.1}, {"drop_path", 0.2}};
    auto whole = request({}, model);
    whole.run = folder_ / "whole";
    train(whole, silent_);

    auto parts = request({}, model);
    int asked = 0;
    const auto first = train(parts, silent_, [&] { return ++asked == 6; });
    EXPECT_TRUE(first.interrupted);
    EXPECT_FALSE(first.finished());
    EXPECT_GT(first.steps, 0);
    parts.resume = true;
    EXPECT_TRUE(train(parts, silent_).finished());
    EXPECT_EQ(losses(folder_ / "run"), losses(folder_ / "whole"));

    const auto a = read_checkpoint(folder_ / "whole/checkpoints/last.pth");
    const auto b = read_checkpoint(folder_ / "run/checkpoints/last.pth");
    ASSERT_EQ(a.state.size(), b.state.size());
    for (std::size_t i = 0; i < a.state.size(); ++i) {
        EXPECT_TRUE(torch::equal(a.state[i].second, b.state[i].second)) << a.state[i].first;
    }
}

TEST_F(TrainerTest, ARunInPartsIsThatOfWholeBatchesAndGoesOnBitForBit) {
    // Batch norm, which moganet has, sees each part by itself.
    const Json model = {{"translator", "convnext"}, {"drop_path_first", 0}};
    auto at_once = request({}, model), whole = request({{"accumulate", 2}}, model), parts = whole;
    at_once.run = folder_ / "at_once";
    whole.run = folder_ / "whole";
    test::Notes notes;
    train(at_once, silent_);
    train(whole, notes);
    EXPECT_THAT(notes.infos,
                testing::Contains(HasSubstr("3 sequences a step, in 2 parts one after the other")));
    const auto expected = losses(folder_ / "at_once"), accumulated = losses(folder_ / "whole");
    ASSERT_EQ(accumulated.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(accumulated[i], expected[i], 1e-5);
    int asked = 0;
    train(parts, silent_, [&] { return ++asked == 6; });
    parts.resume = true;
    EXPECT_TRUE(train(parts, silent_).finished());
    EXPECT_EQ(losses(folder_ / "run"), accumulated);
    parts.experiment.train.accumulate = 3;
    EXPECT_THAT(
        [&] { train(parts, silent_); },
        ThrowsMessage<Error>(HasSubstr("train.accumulate is not what the run was started with (2, now 3)")));
}

/// Counts the validations that begin.
struct Watcher : test::Notes {
    void progress(const Progress& state) override { validations += state.what == "validation" ? 1 : 0; }
    int validations = 0;
};

TEST_F(TrainerTest, AStopInValidationIsHeardAndTheValidationDoneAgain) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    auto whole = request();
    whole.run = folder_ / "whole";
    train(whole, silent_);
    const auto epochs = [&](const fs::path& run) {
        std::vector<Json> lines;
        for (auto line : RunFolder::open(run).read_metrics().lines) {
            line.erase("seconds");
            line.erase("seq_per_s");
            lines.push_back(line);
        }
        return lines;
    };

    // Of three epochs the second's validation is stopped twice, and the last's once.
    auto parts = request();
    for (const int nth : {2, 1, 2}) {
        Watcher watcher;
        const auto outcome = train(parts, watcher, [&] { return watcher.validations == nth; });
        EXPECT_TRUE(outcome.interrupted);
        EXPECT_FALSE(outcome.finished());
        EXPECT_TRUE(outcome.validation_pending);
        EXPECT_EQ(read_json(folder_ / "run/run.json")["state"], "stopped");
        parts.resume = true;
    }
    EXPECT_EQ(epochs(folder_ / "run").back()["step"], 9);
    EXPECT_TRUE(train(parts, silent_).finished());
    EXPECT_EQ(epochs(folder_ / "run"), epochs(folder_ / "whole"));
}

TEST_F(TrainerTest, ARunThatIsKilledAfterAPendingValidationHasTheEpochsLineOnce) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    auto r = request();
    Watcher watcher;
    EXPECT_TRUE(train(r, watcher, [&] { return watcher.validations == 2; }).validation_pending);
    // Killed after the line was written and before the checkpoint was.
    const auto last = folder_ / "run/checkpoints/last.pth";
    fs::copy_file(last, folder_ / "pending.pth");
    r.resume = true;
    train(r, silent_, [] { return true; });
    fs::copy_file(folder_ / "pending.pth", last, fs::copy_options::overwrite_existing);
    EXPECT_TRUE(train(r, silent_).finished());
    std::vector<std::int64_t> epochs;
    for (const auto& line : RunFolder::open(folder_ / "run").read_metrics().lines) {
        if (line.contains("steps")) epochs.push_back(line["epoch"].get<std::int64_t>());
    }
    EXPECT_THAT(epochs, testing::ElementsAre(1, 2, 3));
}

TEST_F(TrainerTest, ShortPiecesGetThroughValidation) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    auto parts = request();
    parts.max_minutes = 1e-9;
    int pieces = 0;
    while (!train(parts, silent_).finished() && ++pieces < 30) parts.resume = true;
    EXPECT_LT(pieces, 30);
    EXPECT_EQ(losses(folder_ / "run").size(), 9U);
}

TEST_F(TrainerTest, SequencesThatAreNotThereAreToldOf) {
    auto r = request({{"steps", 1}});
    r.experiment.dataset.train_sequences = 13;
    r.experiment.dataset.val_sequences = 2;
    Watcher watcher;
    train(r, watcher);
    EXPECT_THAT(watcher.warnings,
                testing::ElementsAre(HasSubstr("the data mark no split, so all 12 sequences are trained on"),
                                     "test: dataset.train_sequences is 13, there are 12",
                                     HasSubstr("dataset.val_sequences is 2, but no sequence is marked")));
}

TEST_F(TrainerTest, OfAFileWithoutASplitItWarns) {
    const auto warnings = [&](const Json& more) {
        auto r = request({{"steps", 1}});
        r.experiment.dataset.own.update(more);
        r.force = true;
        Watcher watcher;
        train(r, watcher);
        return watcher.warnings;
    };
    EXPECT_THAT(warnings(Json::object()), testing::ElementsAre(HasSubstr("mark no split")));
    EXPECT_THAT(warnings({{"test_path", (folder_ / "data.h5").string()}}), testing::IsEmpty());
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    EXPECT_THAT(warnings(Json::object()), testing::IsEmpty());
}

TEST_F(TrainerTest, WhatCannotFitIsRefusedBeforeItIsMade) {
    const auto refused = [&](const Json& train_changes, const Json& model_changes, const std::string& what) {
        EXPECT_THAT([&] { train(request(train_changes, model_changes), silent_); },
                    ThrowsMessage<Error>(HasSubstr(what)));
        EXPECT_FALSE(fs::exists(folder_ / "run"));
    };
    const Json wide = {{"translator", "convmixer"}, {"hid_T", 65536}, {"N_T", 1000}};
    refused({}, wide, "of memory");
    refused({}, {{"translator", "vit"}, {"hid_T", 65536}, {"mlp_ratio", 64}, {"N_T", 1024}}, "out of memory");
    refused({}, {{"hid_S", 65536}}, "out of memory");
}

TEST_F(TrainerTest, TheSameSeedGivesTheSameLosses) {
    auto a = request();
    a.run = folder_ / "a";
    train(a, silent_);
    auto b = request();
    b.run = folder_ / "b";
    train(b, silent_);
    auto c = request({{"seed", 2}});
    c.run = folder_ / "c";
    train(c, silent_);
    EXPECT_EQ(losses(a.run), losses(b.run));
    EXPECT_NE(losses(a.run), losses(c.run));
}

TEST_F(TrainerTest, CheckpointedActivationsLeaveTheLossesAsTheyAre) {
    for (const std::string precision : {"fp32", "bf16"}) {
        SCOPED_TRACE(precision);
        auto kept = request({{"precision", precision}}), again = kept;
        kept.run = folder_ / ("kept-" + precision);
        again.run = folder_ / ("again-" + precision);
        again.experiment.train.checkpoint_activations = true;
        train(kept, silent_);
        train(again, silent_);
        EXPECT_EQ(losses(kept.run), losses(again.run));
        again.resume = true;  // and may be turned off again
        again.experiment.train.checkpoint_activations = false;
        EXPECT_NO_THROW(train(again, silent_));
    }
}

TEST_F(TrainerTest, AnExistingRunIsRefusedAndStaysAsItIs) {
    train(request(), silent_);
    const auto before = read_text(folder_ / "run/metrics.jsonl");
    EXPECT_THAT([&] { train(request(), silent_); }, ThrowsMessage<Error>(HasSubstr("exists already")));
    EXPECT_EQ(read_text(folder_ / "run/metrics.jsonl"), before);
    EXPECT_THAT(
        [&] {
            train(request({{"init", "nofile.pth"}}), silent_);
        },
        ThrowsMessage<Error>(HasSubstr("exists already")))
        << "before anything is prepared";
}

/// Trains a second run in the folder of the first while that takes its steps.
class Intruder : public Reporter {
  public:
    explicit Intruder(TrainRequest request) : request_(std::move(request)) {}
    void progress(const Progress& /*state*/) override {
        if (!message.empty()) return;
        try {
            Reporter silent;
            train(request_, silent);
            message = "nothing was refused";
        } catch (const Error& error) {
            message = error.what();
        }
    }

    std::string message;

  private:
    TrainRequest request_;
};

TEST_F(TrainerTest, ASecondOneInTheSameFolderIsRefused) {
    for (const bool force : {false, true}) {
        auto second = request();
        second.resume = !force;
        second.force = force;
        auto first = request();
        first.force = true;
        Intruder intruder(second);
        EXPECT_TRUE(train(first, intruder).finished());
        EXPECT_EQ(intruder.message, fmt::format("{}: another stl train (process {}) is writing here",
                                                (folder_ / "run").string(), ::getpid()));
        EXPECT_EQ(RunFolder::open(folder_ / "run").read_metrics().lines.size(), 12U + 3U);
    }
}

TEST_F(TrainerTest, ARunGoesOnWithItsOwnSettingsOnly) {
    auto first = request();
    train(first, silent_, [] { return true; });
    auto other = request({{"lr", 0.001}});
    other.resume = true;
    EXPECT_THAT([&] { train(other, silent_); },
                ThrowsMessage<Error>(AllOf(HasSubstr("train.lr is not what the run was started with ("),
                                           HasSubstr(", now 0.001)"), HasSubstr("--set train.init="))));
    write_text(folder_ / "run/experiment.json", "{}");
    EXPECT_THAT([&] { train(other, silent_); },
                ThrowsMessage<Error>(HasSubstr("dataset is not what the run was started with")));
    write_text(folder_ / "run/experiment.json", "[]");
    EXPECT_THAT([&] { train(other, silent_); }, ThrowsMessage<Error>(HasSubstr("is not an object")));
}

TEST_F(TrainerTest, MoreEpochsFollowWhereTheScheduleAllowsThem) {
    for (const std::string schedule : {"constant", "step"}) {
        auto whole = request({{"schedule", schedule}, {"epochs", 3}});
        whole.run = folder_ / ("whole-" + schedule);
        train(whole, silent_);
        auto parts = request({{"schedule", schedule}, {"epochs", 1}});
        parts.run = folder_ / ("parts-" + schedule);
        train(parts, silent_);
        auto longer = request({{"schedule", schedule}, {"epochs", 3}});
        longer.run = parts.run;
        longer.resume = true;
        const auto outcome = train(longer, silent_);
        EXPECT_TRUE(outcome.finished());
        EXPECT_EQ(outcome.total_steps, 12);
        EXPECT_EQ(losses(parts.run), losses(whole.run)) << schedule;
        parts.resume = true;
        EXPECT_THAT(
            [&] { train(parts, silent_); },
            ThrowsMessage<Error>(HasSubstr("train.epochs is not what the run was started with (3, now 1)")));
    }
    auto bound = request({{"schedule", "cosine"}, {"epochs", 1}});
    train(bound, silent_);
    bound = request({{"schedule", "cosine"}, {"epochs", 2}});
    bound.resume = true;
    EXPECT_THAT(
        [&] { train(bound, silent_); },
        ThrowsMessage<Error>(AllOf(HasSubstr("train.epochs is not what"), HasSubstr("constant or step"))));
}

TEST_F(TrainerTest, BeginsWithWhatIsTrained) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    test::Notes notes;
    train(request({{"epochs", 3}}), notes);
    EXPECT_THAT(notes.infos,
                testing::Contains(AllOf(HasSubstr("data.h5: 9 training sequences, 3 for validation"),
                                        HasSubstr("8 frames of 1x16x16"))));
    EXPECT_THAT(notes.infos,
                testing::Contains(AllOf(HasSubstr("moganet"), HasSubstr("on cpu (1 thread) in fp32"),
                                        HasSubstr("3 epochs of 3 steps, 3 sequences a step"))));
    EXPECT_EQ(std::ranges::count_if(notes.infos,
                                    [](const auto& line) { return line.find("to the end") != line.npos; }),
              1);
}

TEST(Plan, TimesAreRounded) {
    EXPECT_EQ(time_text(0.2), "1 s");
    EXPECT_EQ(time_text(89), "89 s");
    EXPECT_EQ(time_text(25 * 60 + 20), "25 min");
    EXPECT_EQ(time_text(3 * 3600 + 20 * 60), "3 h 20 min");
    EXPECT_EQ(time_text(90.0 * 24 * 3600), "90 days");
}

TEST_F(TrainerTest, ANonFiniteLossStopsNamesTheStepAndKeepsTheCheckpoint) {
    train(request({{"lr", 1e30}, {"schedule", "constant"}, {"epochs", 1}, {"steps", 1}}), silent_);
    const auto kept = read_text(folder_ / "run/checkpoints/last.pth");
    write_data("data.h5", 12, std::numeric_limits<float>::quiet_NaN());
    auto again = request();
    again.run = folder_ / "nan";
    EXPECT_THAT([&] { train(again, silent_); }, ThrowsMessage<Error>(HasSubstr("step 1: the loss is nan")));
    EXPECT_FALSE(fs::exists(folder_ / "nan/checkpoints/last.pth"));
    EXPECT_EQ(read_text(folder_ / "run/checkpoints/last.pth"), kept);
}

/// Puts a folder in the place of `file`, which cannot be written any more.
class Obstacle : public test::Notes {
  public:
    explicit Obstacle(fs::path file) : file_(std::move(file)) {}
    void progress(const Progress&) override {
        fs::remove_all(file_);
        fs::create_directories(file_);
    }

  private:
    fs::path file_;
};

TEST_F(TrainerTest, WhatEndedTrainingIsToldThoughItCannotBeWrittenDown) {
    Obstacle obstacle(folder_ / "run/run.json");
    EXPECT_THAT(
        [&] {
            train(request({{"lr", 1e30}, {"schedule", "constant"}}), obstacle);
        },
        ThrowsMessage<Error>(HasSubstr("the loss is")));
    EXPECT_THAT(obstacle.warnings, testing::Contains(HasSubstr("run.json")));
}

TEST_F(TrainerTest, WeightsThatAreNotFiniteAreNotSavedAndNoCheckpointIsMadeUp) {
    const Json settings = {{"lr", 1e39}, {"schedule", "constant"}, {"steps", 2}, {"save_every", 1}};
    EXPECT_THAT([&] { train(request(settings), silent_); },
                ThrowsMessage<Error>(testing::AllOf(HasSubstr("step 1: "),
                                                    HasSubstr("is not finite; no checkpoint was made yet"))));
    EXPECT_FALSE(fs::exists(folder_ / "run/checkpoints/last.pth"));
}

TEST_F(TrainerTest, ANanInTheEpochsLineHasNoSign) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    test::Notes notes;
    EXPECT_ANY_THROW(train(request({{"lr", 1e39}, {"schedule", "constant"}, {"steps", 1}}), notes));
    EXPECT_THAT(notes.infos, testing::AllOf(testing::Contains(HasSubstr("validation loss nan")),
                                            testing::Each(testing::Not(HasSubstr("-nan")))));
}

TEST_F(TrainerTest, MoreStepsThanCanBeCountedAreRefused) {
    const auto refused = [&](const Json& changes, const std::string& what) {
        EXPECT_THAT([&] { train(request(changes), silent_); }, ThrowsMessage<Error>(what));
        EXPECT_FALSE(fs::exists(folder_ / "run"));
    };
    constexpr auto largest = std::numeric_limits<std::int64_t>::max();
    refused({{"epochs", largest}},
            "test: train.epochs: 9223372036854775807 is too large, expected at most 2251799813685248");
    refused({{"epochs", 2251799813685249}},
            "test: train.epochs: 2251799813685249 is too large, expected at most 2251799813685248");
    refused({{"steps", largest}},
            "test: train.steps: 9223372036854775807 is too large, expected at most 9007199254740992");
    // Beside steps, epochs say nothing.
    EXPECT_TRUE(train(request({{"epochs", largest}, {"steps", 1}}), silent_).finished());
}

TEST_F(TrainerTest, StartsFromTheLastWeightsOfARun) {
    train(request(), silent_);
    for (const char* source : {"run", "run/", "run/checkpoints/last.pth"}) {
        auto next = request({{"init", (folder_ / source).string()}, {"lr", 1e-12}, {"steps", 1}});
        next.run = folder_ / "next";
        next.force = true;
        train(next, silent_);
        const auto a = read_checkpoint(folder_ / "run/checkpoints/last.pth").state;
        const auto b = read_checkpoint(folder_ / "next/checkpoints/last.pth").state;
        EXPECT_TRUE(torch::allclose(a[0].second, b[0].second, 0, 1e-9)) << source;
    }
}

TEST_F(TrainerTest, WhatItStartedFromIsNotNeededToGoOn) {
    train(request(), silent_);
    const auto init = folder_ / "init.pth";
    fs::rename(folder_ / "run/checkpoints/last.pth", init);
    auto next = request({{"init", init.string()}});
    next.run = folder_ / "next";
    train(next, silent_, [] { return true; });
    auto lost = next;
    lost.run = folder_ / "lost";
    train(lost, silent_, [] { return true; });
    fs::remove(init);
    next.resume = lost.resume = true;
    EXPECT_TRUE(train(next, silent_).finished());
    fs::remove(folder_ / "lost/checkpoints/last.pth");  // now it has to start anew
    EXPECT_THAT([&] { train(lost, silent_); }, ThrowsMessage<Error>(HasSubstr("train.init: ")));
}

TEST_F(TrainerTest, ARunWithAHistoryDoesNotStartAnewUnasked) {
    train(request({{"keep", 1}}), silent_);
    const auto lines = RunFolder::open(folder_ / "run").read_metrics().lines;
    fs::remove(folder_ / "run/checkpoints/last.pth");
    auto again = request();
    again.resume = true;
    EXPECT_THAT([&] { train(again, silent_); },
                ThrowsMessage<Error>(
                    HasSubstr("last.pth: missing, although the run has completed an epoch; use --force")));
    EXPECT_EQ(RunFolder::open(folder_ / "run").read_metrics().lines, lines);
}

TEST_F(TrainerTest, ResumingStartsARunThatDoesNotExist) {
    auto r = request();
    r.resume = true;
    Watcher watcher;
    EXPECT_TRUE(train(r, watcher).finished());
    EXPECT_THAT(watcher.infos, testing::Contains((folder_ / "run").string() + ": no run yet; starting it"));
    auto whole = request();
    whole.run = folder_ / "whole";
    train(whole, silent_);
    EXPECT_EQ(losses(folder_ / "run"), losses(folder_ / "whole"));
}

TEST_F(TrainerTest, ResumingLeavesAFolderThatIsNotARun) {
    fs::create_directories(folder_ / "run");
    write_text(folder_ / "run/notes.txt", "mine");
    auto r = request();
    r.resume = true;
    EXPECT_THAT([&] { train(r, silent_); }, ThrowsMessage<Error>(HasSubstr("run: exists already")));
    EXPECT_EQ(read_text(folder_ / "run/notes.txt"), "mine");
}

/// As a process leaves it that is killed between its first best checkpoint and its first last one.
TEST_F(TrainerTest, ARunThatIsKilledBeforeItsFirstCheckpointStartsOver) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    auto r = request();
    train(r, silent_);
    const auto whole = losses(folder_ / "run");
    const auto run = RunFolder::open(folder_ / "run");
    for (const auto& file : run.last_checkpoints()) fs::remove(file);
    run.drop_metrics_after(run.read_metrics(), 3);
    auto record = read_json(run.run_file());
    record["state"] = "running";
    write_json(run.run_file(), record);
    ASSERT_TRUE(fs::exists(run.checkpoint("best")));

    r.resume = true;
    Watcher watcher;
    EXPECT_TRUE(train(r, watcher).finished());
    EXPECT_THAT(watcher.warnings,
                testing::Contains(HasSubstr("interrupted before its first complete checkpoint")));
    EXPECT_EQ(losses(folder_ / "run"), whole);
}

TEST_F(TrainerTest, ADamagedCheckpointIsReplacedByTheOneBefore) {
    auto r = request({{"save_every", 1}});
    train(r, silent_);
    const auto whole = losses(folder_ / "run");
    const auto run = RunFolder::open(folder_ / "run");
    const auto damage = [](const fs::path& file) {
        auto bytes = read_text(file);
        bytes[bytes.size() / 2] ^= 0x10;
        write_text(file, bytes);
    };
    damage(run.checkpoint("last"));
    r.resume = true;
    Watcher watcher;
    EXPECT_TRUE(train(r, watcher).finished());
    EXPECT_THAT(
        watcher.warnings,
        testing::IsSupersetOf(
            {testing::Matcher<std::string>(testing::AllOf(HasSubstr("last.pth"), HasSubstr("continuing from"),
                                                          HasSubstr("last.1.pth"))),
             testing::Matcher<std::string>("continuing from step 11; 1 step is lost and done again")}));
    EXPECT_EQ(losses(folder_ / "run"), whole);
    EXPECT_EQ(read_checkpoint(run.checkpoint("last")).stl["step"], 12);
    EXPECT_EQ(read_checkpoint(run.checkpoint("last.1")).stl["step"], 11) << "the damaged one is not kept";

    damage(run.checkpoint("last"));
    damage(run.checkpoint("last.1"));
    EXPECT_THAT([&] { train(r, silent_); }, ThrowsMessage<Error>(HasSubstr("last.pth")));
}

TEST_F(TrainerTest, AMissingLastCheckpointIsReplacedByTheOneBefore) {
    auto r = request({{"save_every", 1}});
    train(r, silent_);
    const auto whole = losses(folder_ / "run");
    fs::remove(folder_ / "run/checkpoints/last.pth");
    r.resume = true;
    Watcher watcher;
    EXPECT_TRUE(train(r, watcher).finished());
    EXPECT_THAT(watcher.warnings, testing::Contains(HasSubstr("last.pth: missing; continuing from")));
    EXPECT_EQ(losses(folder_ / "run"), whole);
}

TEST_F(TrainerTest, AsManyCheckpointsStayAsAskedFor) {
    for (const int keep : {1, 2, 4}) {
        SCOPED_TRACE(keep);
        auto r = request({{"save_minutes", 1e-9}, {"keep", keep}});  // after every step
        r.force = true;
        train(r, silent_);
        const auto files = RunFolder::open(folder_ / "run").last_checkpoints();
        ASSERT_EQ(files.size(), static_cast<std::size_t>(keep));
        for (int i = 0; i < keep; ++i) EXPECT_EQ(read_checkpoint(files[i]).stl["step"], 12 - i);
        for (const auto& entry : fs::directory_iterator(folder_ / "run/checkpoints"))
            EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << entry.path();
    }
}

TEST_F(TrainerTest, TheDatasFrameRateIsInTheCheckpoint) {
    fps_ = 12.5;
    write_data("data.h5", 12, 0.25F);
    train(request({{"steps", 1}}), silent_);
    EXPECT_EQ(read_checkpoint(folder_ / "run/checkpoints/last.pth").stl["fps"], 12.5);
}

TEST_F(TrainerTest, OtherDataThanBeforeAreNoticed) {
    const auto resumed = [&] {
        auto r = request();
        r.resume = true;
        Watcher watcher;
        train(r, watcher, [] { return true; });
        return watcher.warnings;
    };
    train(request(), silent_, [] { return true; });
    const auto record = read_json(folder_ / "run/run.json")["trained_on"];
    EXPECT_EQ(record["train_sequences"], 12);
    EXPECT_EQ(record["files"][0]["path"], (folder_ / "data.h5").string());
    const auto other = testing::Contains(HasSubstr("data.h5: other contents than the run was started with"));
    EXPECT_THAT(resumed(), testing::Not(other));
    write_data("data.h5", 12, 0.5F);
    EXPECT_THAT(resumed(), other);
    EXPECT_THAT(resumed(), testing::Not(other)) << "said once";
    write_data("data.h5", 15, 0.5F);
    EXPECT_THAT(resumed(),
                testing::Contains(HasSubstr("started with 12 sequences for training, now there are 15")));
}

TEST_F(TrainerTest, AnotherRunsCheckpointIsRefused) {
    train(request(), silent_);
    auto other = request({{"lr", 0.004}});
    other.run = folder_ / "other";
    train(other, silent_, [] { return true; });
    const auto last = folder_ / "other/checkpoints/last.pth";
    fs::copy_file(folder_ / "run/checkpoints/last.pth", last, fs::copy_options::overwrite_existing);
    other.resume = true;
    EXPECT_THAT([&] { train(other, silent_); },
                ThrowsMessage<Error>(HasSubstr("last.pth: belongs to a run with a different train.lr")));
}

TEST_F(TrainerTest, ACheckpointThatCannotGoOnExactlyIsRefused) {
    train(request(), silent_, [] { return true; });
    const auto last = folder_ / "run/checkpoints/last.pth";
    const auto whole = read_checkpoint(last);
    auto again = request();
    again.resume = true;
    auto damaged = whole;
    damaged.extra.clear();
    write_checkpoint(last, damaged);
    EXPECT_THAT(
        [&] { train(again, silent_); },
        ThrowsMessage<Error>(HasSubstr("stl_tensors.rng: missing, so the run cannot continue exactly")));
    damaged = whole;
    damaged.stl.erase("epoch_sum");
    write_checkpoint(last, damaged);
    EXPECT_THAT([&] { train(again, silent_); }, ThrowsMessage<Error>(HasSubstr("epoch_sum")));
}

TEST_F(TrainerTest, SgdOfAnotherProgramGoesOnAfterTheSchedulersSteps) {
    const Json no_draws = {{"drop_path_first", 0}}, sgd = {{"optimizer", "sgd"}};
    train(request(sgd, no_draws), silent_);
    const auto whole = losses(folder_ / "run");
    auto parts = request(sgd, no_draws);
    parts.run = folder_ / "parts";
    int asked = 0;
    EXPECT_EQ(train(parts, silent_, [&] { return ++asked == 4; }).steps, 4);
    const auto last = folder_ / "parts/checkpoints/last.pth";
    auto checkpoint = read_checkpoint(last);
    checkpoint.stl = nullptr;
    checkpoint.extra.clear();
    write_checkpoint(last, checkpoint);
    parts.resume = true;
    EXPECT_TRUE(train(parts, silent_).finished());
    EXPECT_EQ(losses(folder_ / "parts"), whole);

    checkpoint.scheduler = nullptr;
    write_checkpoint(last, checkpoint);
    EXPECT_THAT([&] { train(parts, silent_); },
                ThrowsMessage<Error>(HasSubstr("does not record the number of steps")));
}

TEST_F(TrainerTest, AValidationWithoutANumberIsTold) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    write_data("nan.h5", 12, std::numeric_limits<float>::quiet_NaN());
    auto r = request();
    r.experiment.dataset = DatasetOptions::from_json({{"name", "file"},
                                                      {"path", (folder_ / "data.h5").string()},
                                                      {"val_path", (folder_ / "nan.h5").string()},
                                                      {"input_frames", 4},
                                                      {"output_frames", 4}},
                                                     "test");
    Watcher watcher;
    EXPECT_TRUE(train(r, watcher).finished());
    EXPECT_THAT(watcher.warnings, testing::Contains(HasSubstr("step 3: the validation loss is nan")));
    EXPECT_FALSE(fs::exists(folder_ / "run/checkpoints/best.pth"));
}

TEST_F(TrainerTest, DataThatHoldNoNumberAreNamed) {
    write_data("data.h5", 12, std::numeric_limits<float>::quiet_NaN());
    EXPECT_THAT([&] { train(request(), silent_); },
                ThrowsMessage<Error>(HasSubstr(
                    "step 1: the loss is nan, because the training sequences contain values that are "
                    "not finite")));
}

TEST_F(TrainerTest, ARunGoesOnFromTheReferencesOwnCheckpoint) {
    const Json no_draws = {{"drop_path_first", 0}};
    train(request({}, no_draws), silent_);
    const auto whole = losses(folder_ / "run");
    auto two_epochs = request({}, no_draws);
    two_epochs.run = folder_ / "other";
    train(two_epochs, silent_,
          [this] { return RunFolder::open(folder_ / "other").read_metrics().lines.size() >= 10; });
    const auto last = folder_ / "other/checkpoints/last.pth";
    auto checkpoint = read_checkpoint(last);
    const auto done = checkpoint.stl["step"].get<std::size_t>();
    ASSERT_LT(done, whole.size());
    checkpoint.stl = nullptr;  // as OpenSTL writes it
    checkpoint.extra.clear();
    write_checkpoint(last, checkpoint);
    two_epochs.resume = true;
    EXPECT_TRUE(train(two_epochs, silent_).finished());
    EXPECT_EQ(losses(folder_ / "other"), whole);
}

TEST_F(TrainerTest, AStepThatTheRunDoesNotHaveIsRefused) {
    train(request(), silent_);
    const auto last = folder_ / "run/checkpoints/last.pth";
    auto checkpoint = read_checkpoint(last);
    auto again = request();
    again.resume = true;
    for (const std::int64_t step : {std::int64_t{-1}, std::int64_t{13}, INT64_MAX}) {
        checkpoint.stl["step"] = step;
        write_checkpoint(last, checkpoint);
        EXPECT_THAT(
            [&] { train(again, silent_); },
            ThrowsMessage<Error>(fmt::format("{}: stl.step: {}, expected 0 to 12", last.string(), step)));
    }
}

TEST_F(TrainerTest, WhatCannotBeStartedFromIsNamedWithItsKey) {
    const auto refused = [&](const fs::path& init, const std::string& what) {
        EXPECT_THAT(
            [&] {
                train(request({{"init", init.string()}}), silent_);
            },
            ThrowsMessage<Error>(fmt::format("test: train.init: {}: {}", init.string(), what)));
    };
    refused(folder_ / "nofile.pth", "no such file");
    refused(folder_, "not a run folder (no experiment.json)");
    const auto empty = folder_ / "empty";
    write_text(empty / "experiment.json", "{}");
    refused(empty, fmt::format("has no last checkpoint ({}/checkpoints/last.pth)", empty.string()));
}

TEST_F(TrainerTest, StartsFromACheckpointsWeights) {
    train(request(), silent_);
    auto next =
        request({{"init", (folder_ / "run/checkpoints/last.pth").string()}, {"lr", 1e-12}, {"steps", 1}});
    next.run = folder_ / "next";
    train(next, silent_);
    const auto a = read_checkpoint(folder_ / "run/checkpoints/last.pth").state;
    const auto b = read_checkpoint(folder_ / "next/checkpoints/last.pth").state;
    EXPECT_TRUE(torch::allclose(a[0].second, b[0].second, 0, 1e-9));
}

TEST_F(TrainerTest, TooFewSequencesAreRefused) {
    EXPECT_THAT(
        [&] {
            train(request({{"batch_size", 13}}), silent_);
        },
        ThrowsMessage<Error>(HasSubstr("12 training sequences, expected at least one batch")));
    EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(TrainerTest, ADeviceThatIsNotThereIsNamed) {
    if (!list_gpus().empty()) GTEST_SKIP() << "this machine has a GPU";
    auto r = request();
    r.device = "cuda:7";
    EXPECT_THAT([&] { train(r, silent_); }, ThrowsMessage<Error>(HasSubstr("cuda:7: no NVIDIA GPU")));
}

TEST_F(TrainerTest, Tf32OnACpuIsFp32AndSaysSo) {
    Watcher told;
    const auto [a, b] = train_beside_fp32("tf32", told);
    EXPECT_THAT(told.warnings, testing::Contains("TF32 is a format of GPUs; training in fp32 instead"));
    EXPECT_EQ(read_json(b.run / "experiment.json")["train"]["precision"], "tf32");
    EXPECT_EQ(read_json(b.run / "run.json")["precision"], "fp32");
    EXPECT_EQ(losses(a.run), losses(b.run));
}

TEST_F(TrainerTest, Bf16FollowsFp32) {
    Watcher told;
    const auto [a, b] = train_beside_fp32("bf16", told);
    const auto x = losses(a.run);
    const auto y = losses(b.run);
    EXPECT_EQ(read_json(b.run / "experiment.json")["train"]["precision"], "bf16");
    if (!libtorch_multiplies_bfloat16()) {
        EXPECT_THAT(told.warnings, testing::Contains(HasSubstr("no bfloat16 arithmetic; training in fp32")));
        EXPECT_EQ(read_json(b.run / "run.json")["precision"], "fp32");
        EXPECT_EQ(x, y);
        return;
    }
    EXPECT_THAT(told.warnings, testing::Not(testing::Contains(HasSubstr("bfloat16"))));
    EXPECT_EQ(read_json(b.run / "run.json")["precision"], "bf16");
    EXPECT_NE(x, y);
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 0.05 * x[i]) << "step " << i + 1;
}

TEST_F(TrainerTest, AnAverageOfTheWeightsIsEvaluatedSavedAndResumedExactly) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    const Json settings = {{"ema", 0.9}, {"epochs", 2}};
    auto whole = request(settings);
    whole.run = folder_ / "whole";
    const auto outcome = train(whole, silent_);
    auto plain = request({{"epochs", 2}});
    plain.run = folder_ / "plain";
    const auto plain_outcome = train(plain, silent_);
    EXPECT_EQ(losses(whole.run), losses(plain.run)) << "it does not change training";
    const auto leading = leading_metric().key;
    EXPECT_NE((*outcome.validation)[leading], (*plain_outcome.validation)[leading])
        << "the average is validated";

    const auto last = read_checkpoint(whole.run / "checkpoints/last.pth");
    const auto plain_last = read_checkpoint(plain.run / "checkpoints/last.pth");
    const auto best = read_checkpoint(whole.run / "checkpoints/best.pth");
    EXPECT_FALSE(torch::equal(last.state[0].second, plain_last.state[0].second));
    EXPECT_TRUE(torch::equal(best.state[0].second, last.state[0].second)) << "of the last epoch, the best";
    const auto raw = std::ranges::find(last.extra, "raw." + last.state[0].first,
                                       [](const auto& one) { return one.first; });
    ASSERT_NE(raw, last.extra.end());
    EXPECT_TRUE(torch::equal(raw->second, plain_last.state[0].second));

    auto parts = request(settings);
    parts.max_minutes = 1e-9;  // a step each
    train(parts, silent_);
    parts.resume = true;
    for (int i = 0; i < 10 && !train(parts, silent_).finished(); ++i) {
    }
    EXPECT_EQ(losses(parts.run), losses(whole.run));
    const auto again = read_checkpoint(parts.run / "checkpoints/last.pth");
    for (std::size_t t = 0; t < again.state.size(); ++t)
        EXPECT_TRUE(torch::equal(again.state[t].second, last.state[t].second)) << again.state[t].first;
}

TEST_F(TrainerTest, PatienceEndsARunThatNoLongerImproves) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    // Without a step worth the name little but the statistics of batch norms changes.
    const auto since_best = [&] {
        std::vector<double> found;
        for (const auto& line : RunFolder::open(folder_ / "run").read_metrics().lines)
            if (line.contains("val_loss")) found.push_back(line["val_loss"]);
        return std::distance(std::ranges::min_element(found), found.end()) - 1;
    };
    const Json settings = {{"lr", 1e-30}, {"schedule", "constant"}, {"epochs", 8}, {"patience", 2}};
    test::Notes notes;
    const auto outcome = train(request(settings), notes);
    EXPECT_TRUE(outcome.finished());
    EXPECT_TRUE(outcome.out_of_patience);
    EXPECT_EQ(since_best(), 2);
    EXPECT_LT(outcome.steps, outcome.total_steps);
    EXPECT_THAT(notes.infos, testing::Contains(HasSubstr("no smaller validation loss in 2 validations")));
    const auto record = read_json(folder_ / "run/run.json");
    EXPECT_EQ(record["state"], "finished");
    EXPECT_EQ(record["out_of_patience"], true);
    auto again = request(settings);
    again.resume = true;
    EXPECT_EQ(train(again, silent_).steps, outcome.steps) << "it is finished";
    auto patient = request({{"lr", 1e-30}, {"schedule", "constant"}, {"epochs", 8}, {"patience", 3}});
    patient.resume = true;
    EXPECT_GT(train(patient, silent_).steps, outcome.steps);
    EXPECT_EQ(since_best(), 3);
    split_.clear();
    write_data("data.h5", 12, 0.25F);
    auto without = request(settings);
    without.run = folder_ / "without";
    EXPECT_THAT([&] { train(without, silent_); }, ThrowsMessage<Error>(HasSubstr("train.patience: ")));
}

TEST_F(TrainerTest, AnAnomalyIsNamedByLayerAndOperation) {
    auto diverging = request({{"lr", 1e30}, {"schedule", "constant"}});
    EXPECT_THAT([&] { train(diverging, silent_); }, ThrowsMessage<Error>(HasSubstr("--detect-anomaly")));
    diverging.detect_anomaly = diverging.force = true;
    EXPECT_THAT([&] { train(diverging, silent_); },
                ThrowsMessage<Error>(testing::MatchesRegex(
                    "step [0-9]+: the first value that is not finite is in the result of [a-z0-9_]+ in "
                    "[a-z]+[a-zA-Z0-9._]+.*; no checkpoint was made yet")));
    auto whole = request({{"epochs", 1}}), watched = whole;
    whole.force = watched.force = watched.detect_anomaly = true;
    train(whole, silent_);
    const auto expected = losses(whole.run);
    train(watched, silent_);
    EXPECT_EQ(losses(watched.run), expected) << "looking changes nothing";
}

TEST_F(TrainerTest, ARunCanBeRepeatedExactly) {
    train(request(), silent_);
    const auto first = RunFolder::open(folder_ / "run");
    TrainRequest again;
    again.experiment = experiment_of(first);
    EXPECT_EQ(again.experiment.train.threads, 1);
    again.run = folder_ / "again";
    again.repeats = first.path();
    again.device = "cpu";
    test::Notes notes;
    train(again, notes);
    EXPECT_THAT(notes.warnings, testing::Each(testing::Not(HasSubstr("now"))));
    EXPECT_EQ(first_other_loss(first, RunFolder::open(again.run)), std::nullopt);

    auto record = read_json(first.run_file());
    record["version"] = "0.0.1";
    record["processor"] = "Z80";
    write_json(first.run_file(), record);
    write_data("data.h5", 12, 0.5F);
    again.force = true;
    test::Notes told;
    train(again, told);
    EXPECT_THAT(told.warnings,
                testing::IsSupersetOf({HasSubstr("version: 0.0.1, now "), HasSubstr("processor: Z80, now "),
                                       HasSubstr("data.h5: other contents")}));
    EXPECT_EQ(first_other_loss(first, RunFolder::open(again.run)), 1);
}

TEST_F(TrainerTest, AnotherSplitIsNoticed) {
    split_ = nine_and_three_;
    write_data("data.h5", 12, 0.25F);
    train(request(), silent_, [] { return true; });
    std::ranges::reverse(split_);
    write_data("data.h5", 12, 0.25F);
    auto again = request();
    again.resume = true;
    test::Notes notes;
    train(again, notes, [] { return true; });
    EXPECT_THAT(
        notes.warnings,
        testing::Contains(HasSubstr("other sequences are marked for training and testing than the run was")));
}

}  // namespace
}  // namespace stl
