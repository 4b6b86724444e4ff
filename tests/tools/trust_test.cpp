// What the program does about damage, losses that are not finite and a machine that has nothing for it.
#include <regex>

#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::HasSubstr;

class TrustTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        write_text(folder_ / "tiny.json", R"({
            "dataset": {"name": "mmnist", "input_frames": 2, "output_frames": 2, "train_sequences": 8, "val_sequences": 2,
                        "test_sequences": 2},
            "model": {"translator": "convmixer", "hid_S": 2, "hid_T": 4, "N_S": 2, "N_T": 2},
            "train": {"steps": 2, "batch_size": 2, "log_every": 1}})");
    }
};

TEST_F(TrustTest, VerifyTellsDamageByItsStatus) {
    good("train tiny.json --run r --threads 1");
    EXPECT_THAT(good("verify r").out, HasSubstr("the run can be continued from r/checkpoints/last.pth"));
    for (const auto& verdict : json("verify r --json")) EXPECT_NE(verdict["condition"], "damaged") << verdict;
    const auto file = folder_ / "r/checkpoints/last.pth";
    auto bytes = read_text(file);
    bytes[bytes.size() / 2] ^= 1;
    write_text(file, bytes);
    const auto outcome = stl("verify r");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("damaged    r/checkpoints/last.pth: "));
    EXPECT_THAT(outcome.err, HasSubstr("2 of "));
    refused("verify nothing", 1, "nothing: no such file");
    refused("verify none.h5 tiny.json", 1, "none.h5: no such file");
}

TEST_F(TrustTest, ARunIsRepeatedToTheLastBit) {
    good("train tiny.json --run r --threads 1");
    const auto again = good("train --repeat r/");
    EXPECT_THAT(again.err, HasSubstr("the same losses as in r, bit for bit"));
    EXPECT_TRUE(fs::exists(folder_ / "r-repeat/checkpoints/last.pth"));
    refused("train", 2, "EXPERIMENT is required (or --data FILE, or --repeat RUN)");
    refused("train tiny.json --repeat r", 2, "--repeat repeats a run with its own experiment");
    refused("train --repeat tiny.json", 1, "tiny.json: not a run folder");
}

TEST_F(TrustTest, ALossThatIsNotFiniteLeadsToItsLayer) {
    const std::string diverging =
        "train tiny.json --run r --threads 1 --set train.lr=1e30 --set train.steps=9 "
        "--set train.schedule=constant --force";
    EXPECT_THAT(stl(diverging).err, HasSubstr("--detect-anomaly finds where it begins"));
    EXPECT_THAT(stl(diverging + " --detect-anomaly").err, HasSubstr("is in the result of "));
}

TEST_F(TrustTest, WithoutACurrentFolderOrMemoryItEndsInALineOfItsOwn) {
    const auto in_shell = [&](const std::string& preparation) {
        const auto command = fmt::format("cd '{}' && {} '{}' list >/dev/null 2>'{}'", folder_.string(),
                                         preparation, STL_PROGRAM, (folder_ / ".err").string());
        EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1) << preparation;
        EXPECT_TRUE(is_one_line(read_text(folder_ / ".err"))) << read_text(folder_ / ".err");
        return read_text(folder_ / ".err");
    };
    EXPECT_THAT(in_shell("mkdir gone && cd gone && rmdir ../gone &&"),
                HasSubstr("the current folder was removed"));
    EXPECT_THAT(in_shell("ulimit -d 60000;"), HasSubstr("ulimit -d leaves less than"));
}

/// docs/reliability.md names the test of each promise.
TEST(Reliability, EveryTestThatIsNamedIsThere) {
    const fs::path source = STL_SOURCE_DIR;
    std::string tests;
    for (const auto& entry : fs::recursive_directory_iterator(source / "tests")) {
        if (entry.path().extension() == ".cpp") tests += read_text(entry.path());
    }
    const auto text = read_text(source / "docs/reliability.md");
    const std::regex name("`(?:[A-Za-z]+/)?([A-Z][A-Za-z0-9]*)\\.([A-Z][A-Za-z0-9]*)`");
    int count = 0;
    for (std::sregex_iterator found(text.begin(), text.end(), name), end; found != end; ++found, ++count) {
        const auto declared = fmt::format("({}, {})", (*found)[1].str(), (*found)[2].str());
        EXPECT_NE(tests.find(declared), tests.npos) << declared;
    }
    EXPECT_GT(count, 30);
}

}  // namespace
}  // namespace stl
