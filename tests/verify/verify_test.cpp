// Damage in every file of a run is found, and what is left of it is told.
#include "stl/verify/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/error.h"
#include "stl/formats/sequences.h"
#include "stl/train/trainer.h"
#include "tests/support/checks.h"
#include "tests/support/tiny_run.h"

namespace stl {
namespace {

using test::error_of;
using testing::HasSubstr;

class VerifyTest : public testing::Test {
  protected:
    /// A run of three steps over 12 sequences, of which three are for validation, with two last checkpoints.
    static void SetUpTestSuite() {
        folder_ = new test::TemporaryFolder;
        test::write_tiny_data(*folder_ / "data.h5");
        test::train_tiny_run(*folder_ / "data.h5", *folder_ / "run", /*steps=*/3, /*save_every=*/2);
    }
    static void TearDownTestSuite() { delete folder_; }

    void SetUp() override { run_ = *folder_ / "run"; }
    void TearDown() override {
        for (const auto& [file, bytes] : before_) write_text(file, bytes);
    }

    std::vector<Verdict> verified(const fs::path& path) {
        Reporter silent;
        return verify(path, silent);
    }
    Verdict of(const fs::path& file) {
        for (auto& verdict : verified(run_)) {
            if (verdict.file == file) return verdict;
        }
        ADD_FAILURE() << file << " was not looked at";
        return {};
    }
    /// Flips a bit in the middle of a file, or at the first of these bytes, until the test's end.
    void damage(const fs::path& file, const std::string& at = "") {
        auto bytes = read_text(file);
        before_.emplace_back(file, bytes);
        const auto place = at.empty() ? bytes.size() / 2 : bytes.find(at);
        ASSERT_LT(place, bytes.size());
        bytes[place] ^= 1;
        write_text(file, bytes);
    }

    static test::TemporaryFolder* folder_;
    fs::path run_;
    std::vector<std::pair<fs::path, std::string>> before_;
};
test::TemporaryFolder* VerifyTest::folder_ = nullptr;

TEST_F(VerifyTest, ARunIsWhole) {
    const auto verdicts = verified(run_);
    for (const auto& verdict : verdicts) {
        const bool plain_json = verdict.file.filename() == "run.json";
        EXPECT_EQ(verdict.condition, plain_json ? Condition::unchecked : Condition::whole)
            << verdict.file << ": " << verdict.text;
    }
    ASSERT_EQ(verdicts.back().file, run_);
    EXPECT_THAT(verdicts.back().usable,
                HasSubstr("can be continued from " + (run_ / "checkpoints/last.pth").string()));
    std::vector<std::string> names;
    for (const auto& verdict : verdicts) names.push_back(verdict.file.filename().string());
    EXPECT_THAT(names, testing::IsSupersetOf({"experiment.json", "run.json", "metrics.jsonl", "last.pth",
                                              "last.1.pth", "best.pth", "data.h5"}));
}

TEST_F(VerifyTest, ADamagedCheckpointLeavesTheOneBefore) {
    damage(run_ / "checkpoints/last.pth");
    EXPECT_EQ(of(run_ / "checkpoints/last.pth").condition, Condition::damaged);
    EXPECT_EQ(of(run_).condition, Condition::damaged);
    EXPECT_THAT(of(run_).usable, HasSubstr("last.1.pth"));
    damage(run_ / "checkpoints/last.1.pth");
    EXPECT_THAT(of(run_).usable,
                HasSubstr("cannot be continued; " + (run_ / "checkpoints/best.pth").string()));
    damage(run_ / "checkpoints/best.pth");
    EXPECT_EQ(of(run_).usable, "no checkpoint can be used");
}

TEST_F(VerifyTest, TheLogTheEventsAndTheDataAreLookedAt) {
    damage(run_ / "metrics.jsonl", "loss");
    EXPECT_THAT(of(run_ / "metrics.jsonl").text, HasSubstr("damaged lines: 1"));
    for (const auto& entry : fs::directory_iterator(run_)) {
        if (!entry.path().filename().string().starts_with("events")) continue;
        damage(entry.path());
        EXPECT_THAT(of(entry.path()).text, HasSubstr("damaged from record "));
        EXPECT_THAT(of(entry.path()).usable, HasSubstr("before it can be read"));
    }
    damage(*folder_ / "data.h5");
    EXPECT_THAT(of(*folder_ / "data.h5").text, HasSubstr("other contents"));
}

TEST_F(VerifyTest, AnExperimentIsThatOfTheCheckpoint) {
    damage(run_ / "experiment.json", "convmixer");
    const auto verdict = of(run_ / "experiment.json");
    EXPECT_EQ(verdict.condition, Condition::damaged);
    EXPECT_THAT(verdict.text,
                HasSubstr("model.translator is \"bonvmixer\", in last.pth it is \"convmixer\""));
}

TEST_F(VerifyTest, OfSequencesTheRowsAreTold) {
    const auto file = *folder_ / "data.h5";
    EXPECT_EQ(verified(file).front().condition, Condition::whole);
    std::string fourth;
    for (int i = 0; i < 8; ++i) fourth += static_cast<char>(3 * 16 + i);
    damage(file, fourth);
    const auto verdict = verified(file).front();
    EXPECT_EQ(verdict.condition, Condition::damaged);
    EXPECT_EQ(verdict.text, "'sequences': 1 of 12 rows damaged (3)");
    EXPECT_EQ(verdict.usable, "the other 11 rows of 'sequences', 12 rows in 'split' can be read");
}

TEST_F(VerifyTest, SafetensorsHaveTheirDigests) {
    const auto file = *folder_ / "a.safetensors";
    auto checkpoint = read_checkpoint(run_ / "checkpoints/last.pth");
    write_checkpoint(file, checkpoint);
    EXPECT_EQ(verified(file).front().condition, Condition::whole);
    const auto bytes = read_text(file);
    auto other = bytes;
    other[bytes.size() - 9] ^= 4;
    write_text(file, other);
    EXPECT_THAT(verified(file).front().text, HasSubstr("1 of "));
    EXPECT_THAT(error_of([&] { read_checkpoint(file); }),
                HasSubstr("damaged (its values are not what its digest says)"));
    // As other programs write them.
    other = bytes;
    other.replace(other.find("stl_digests"), 3, "not");
    write_text(file, other);
    EXPECT_EQ(verified(file).front().condition, Condition::unchecked);
}

TEST_F(VerifyTest, WhatHasNoDigestsSaysSo) {
    const auto npy = (*folder_ / "a.npy").string();
    const auto writer = create_sequences(npy, 1, {2, 1, 4, 4}, {});
    writer->append(std::vector<std::uint8_t>(32, 1));
    writer->finish();
    EXPECT_EQ(verified(npy).front().condition, Condition::unchecked);
    EXPECT_THAT(verified(npy).front().text, HasSubstr("the format has no digests"));
    write_text(*folder_ / "a.npy", "\x93NUMPY");
    EXPECT_EQ(verified(npy).front().condition, Condition::damaged);
    write_text(*folder_ / "a.txt", "hello");
    EXPECT_THAT(error_of([&] { verified(*folder_ / "a.txt"); }),
                HasSubstr("not a kind of file that has digests"));
    EXPECT_THAT(error_of([&] { verified(folder_->path()); }), HasSubstr("not a run folder"));
}

}  // namespace
}  // namespace stl
