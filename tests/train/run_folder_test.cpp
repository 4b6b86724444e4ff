// The run folder and the TensorBoard file.
#include "stl/train/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "stl/core/error.h"
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
    EXPECT_THAT([&] { RunFolder::create(folder_, true); }, ThrowsMessage<Error>(HasSubstr("is no run")));
    EXPECT_EQ(read_text(folder_ / "thesis.txt"), "years of work");
}

TEST_F(RunFolderTest, DropsTheLinesAfterAStep) {
    const auto run = RunFolder::create(folder_, false);
    for (int step = 1; step <= 5; ++step) {
        run.append_metrics({{"step", step}});
        if (step != 4) run.append_metrics({{"steps", step}, {"epoch", 1}});
    }
    run.drop_metrics_after(3);
    const auto lines = run.read_metrics();
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_EQ(lines[4]["step"], 3);
    EXPECT_EQ(lines[5]["steps"], 3);
}

TEST(TensorBoard, CrcOfRfc3720) {
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
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

}  // namespace
}  // namespace stl
