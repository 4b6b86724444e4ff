// A machine with a GPU that its LibTorch cannot use.
#include <gmock/gmock.h>

#include "tests/support/environment.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class UnusableGpuTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        if (json("doctor --json")["devices"].size() > 1) GTEST_SKIP() << "NOT RUN: there is a GPU here";
        const char* before = std::getenv("LD_LIBRARY_PATH");
        libraries_.emplace("LD_LIBRARY_PATH", std::string(STL_PRETENDED_DRIVER) +
                                                  (before != nullptr ? std::string(":") + before : ""));
        write_text(folder_ / "tiny.json", R"({
            "dataset": {"name": "mmnist", "train_sequences": 2, "val_sequences": 2},
            "model": {"translator": "gsta", "hid_S": 8, "hid_T": 32, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
            "train": {"steps": 1, "batch_size": 2, "threads": 1}})");
    }
    std::optional<EnvironmentVariable> libraries_;
};

TEST_F(UnusableGpuTest, AutoGoesOnOnTheCpuAndSaysWhy) {
    EXPECT_EQ(json("doctor --json")["devices"][1]["name"], "Pretended GPU");
    const auto trained = good("train tiny.json --run run");
    EXPECT_THAT(trained.err, AllOf(HasSubstr("cuda: "), HasSubstr("going on on the CPU")));
    good("generate mmnist --split test --sequences 2 --output test.h5");
    EXPECT_THAT(good("evaluate run --data test.h5").err, HasSubstr("going on on the CPU"));
}

TEST_F(UnusableGpuTest, AskedForByNameItIsAnError) {
    const auto outcome = stl("train tiny.json --run run --device cuda");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_TRUE(is_one_line(outcome.err)) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "run"));
}

}  // namespace
}  // namespace stl
