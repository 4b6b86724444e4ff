// --allow-external: no command reads what a file names elsewhere without it.
#include <gmock/gmock.h>

#include "tests/support/external_link.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ExternalFilesTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        good("generate mmnist --split test --sequences 4 --output far.h5");
        test::write_external_link(folder_ / "d/link.h5", "../far.h5");
        write_text(folder_ / "e.json", R"({
            "dataset": {"name": "file", "path": "d/link.h5", "input_frames": 2, "output_frames": 2},
            "model": {"translator": "gsta", "hid_S": 4, "hid_T": 16, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
            "train": {"epochs": 1, "batch_size": 4, "threads": 1}})");
    }

    void only_if_allowed(const std::string& command) const {
        const auto refused = stl(command);
        EXPECT_EQ(refused.status, 1) << command;
        EXPECT_TRUE(is_one_line(refused.err)) << refused.err;
        EXPECT_THAT(refused.err, AllOf(HasSubstr("link.h5: refers to "), HasSubstr("far.h5"),
                                       HasSubstr("--allow-external")))
            << command;
        good(command + " --allow-external");
    }
};

TEST_F(ExternalFilesTest, AreReadByNoCommandUnlessAllowed) {
    only_if_allowed("inspect d/link.h5");
    only_if_allowed("import d/link.h5 --length 4 --output out.h5");
    only_if_allowed("metrics d/link.h5 far.h5");
    only_if_allowed("render d/link.h5 --output out.png --sequences 1");
    only_if_allowed("train e.json --run run --device cpu");
    good("evaluate run");  // the run says that they were allowed
    only_if_allowed("evaluate run --data d/link.h5");
    only_if_allowed("predict run --input d/link.h5 --output prediction.h5");
}

}  // namespace
}  // namespace stl
