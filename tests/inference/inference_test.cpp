// The choice of a network's forward passes: every path gives what the network gives, in the precision that it tells.
#include "stl/inference/inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/core/error.h"
#include "stl/core/json.h"
#include "tests/support/checks.h"
#include "tests/support/distance.h"
#include "tests/support/notes.h"
#include "tests/support/random_model.h"

namespace stl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SimVP small_model() {
    SimVPOptions o;
    o.frames = 3;
    o.height = o.width = 16;
    o.hid_S = 8;
    o.hid_T = 16;
    o.N_S = o.N_T = 2;
    return test::random_model(o);
}

class InferenceTest : public testing::TestWithParam<Path> {
  protected:
    std::unique_ptr<Inference> make(Precision precision) {
        return make_inference(model, torch::kCPU, GetParam(), precision, notes);
    }

    const torch::NoGradGuard no_grad;
    SimVP model = small_model();
    torch::Tensor x = torch::rand({2, 3, 1, 16, 16});
    test::Notes notes;
};

TEST_P(InferenceTest, GivesWhatTheNetworkGives) {
    const auto inference = make(Precision::fp32);
    EXPECT_EQ(inference->precision(), Precision::fp32);
    EXPECT_EQ(inference->device(), torch::kCPU);
    EXPECT_LT(test::distance(inference->forward(x), model->forward(x)), 1e-5);
    for (const std::int64_t frames : {2, 3, 7}) {
        const auto found = inference->predict(x, frames);
        EXPECT_LT(test::distance(found, model->predict(x, frames)), 1e-5) << frames;
        const auto before = found.clone();
        inference->predict(torch::rand_like(x), frames);
        EXPECT_TRUE(found.equal(before)) << "overwritten";
    }
    EXPECT_THAT(notes.warnings, IsEmpty());
}

/// As wide as the benchmark's.
SimVPOptions wide_options() {
    SimVPOptions o;
    o.translator = "gsta";
    o.hid_S = 64;
    o.hid_T = 512;
    o.N_S = 4;
    o.N_T = 2;
    return o;
}

TEST(QuickerPrecision, IsTheOneOfTheTuner) {
    if (resolve_precision(Precision::bf16, Work::inference, torch::kCPU, Path::fast).precision !=
        Precision::bf16)
        GTEST_SKIP() << "this CPU has no bfloat16 arithmetic";
    const auto model = wide_options();
    Tuner measuring({});
    const auto found = quicker_precision(model, Precision::bf16, measuring);
    const test::TemporaryFolder folder;
    for (const auto precision : {Precision::fp32, Precision::bf16}) {
        auto choices = measuring.choices();
        int comparisons = 0;
        for (auto& [work, name] : choices) {
            if (!work.starts_with("precision of products")) continue;
            ++comparisons;
            EXPECT_EQ(name, name_of(found));
            name = name_of(precision);
        }
        EXPECT_EQ(comparisons, 1);
        write_json(folder / "choices.json", {{"choices", choices}});
        Tuner remembering(folder / "choices.json");
        EXPECT_EQ(quicker_precision(model, Precision::bf16, remembering), precision);
        EXPECT_EQ(quicker_precision(model, Precision::fp32, remembering), Precision::fp32);
    }
}

TEST(QuickerPrecision, SmallNetworksAreNotTimed) {
    Tuner tuner({});
    EXPECT_EQ(quicker_precision(small_model()->options(), Precision::bf16, tuner), Precision::bf16);
    EXPECT_TRUE(tuner.choices().empty());
}

TEST_P(InferenceTest, KeepsNoGradients) {
    const torch::AutoGradMode gradients(true);
    EXPECT_FALSE(make(Precision::fp32)->predict(x, 2).requires_grad());
}

TEST_P(InferenceTest, SaysWhereItComputesInAnotherPrecision) {
    const auto inference = make(Precision::tf32);
    EXPECT_EQ(inference->precision(), Precision::fp32);
    EXPECT_THAT(notes.warnings, ElementsAre("TF32 is a format of GPUs; computed in fp32"));
    EXPECT_TRUE(inference->predict(x, 5).equal(make(Precision::fp32)->predict(x, 5)));
    EXPECT_THAT(test::error_of([&] { make(Precision::fp16); }), HasSubstr("precision fp16 needs a GPU"));
}

TEST_P(InferenceTest, InBf16IsTheOneThatTheDeviceHas) {
    const auto expected =
        resolve_precision(Precision::bf16, Work::inference, torch::kCPU, GetParam()).precision;
    const auto inference = make(Precision::bf16);
    EXPECT_EQ(inference->precision(), expected);
    EXPECT_EQ(notes.warnings.empty(), expected == Precision::bf16);
    const auto found = inference->predict(x, 5);
    EXPECT_EQ(found.scalar_type(), torch::kFloat32);
    EXPECT_LT(test::distance(found, model->predict(x, 5)), 0.05);
    EXPECT_EQ(test::distance(found, model->predict(x, 5)) > 1e-5, expected == Precision::bf16);
}

TEST_P(InferenceTest, TheFastPathTellsWhereItsTimeGoes) {
    inference::Trace trace;
    const auto inference = make(Precision::fp32);
    EXPECT_EQ(inference->trace(&trace), GetParam() == Path::fast);
    inference->forward(x);
    EXPECT_EQ(trace.spans().empty(), GetParam() == Path::plain);
    const auto spans = trace.spans().size();
    inference->trace(nullptr);
    inference->forward(x);
    EXPECT_EQ(trace.spans().size(), spans);
}

INSTANTIATE_TEST_SUITE_P(paths, InferenceTest, testing::Values(Path::plain, Path::fast),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace stl
