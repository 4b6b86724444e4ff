// The fast path against the plain one: every translator of the registry, several sizes and batches, every
// variant of the kernels that the machine has.
#include "stl/inference/cpu/planned_inference.h"

#include <gtest/gtest.h>

#include "stl/core/error.h"
#include "stl/core/json.h"
#include "stl/runtime/autocast.h"
#include "tests/support/checks.h"
#include "tests/support/distance.h"
#include "tests/support/emulated_tiles.h"
#include "tests/support/random_model.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

using test::random_model;

/// Largest difference, relative to the largest value.
double difference(const torch::Tensor& a, const torch::Tensor& b) {
    return (a - b).abs().max().item<double>() / b.abs().max().item<double>();
}

SimVPOptions small_options(const std::string& translator) {
    SimVPOptions o;
    o.translator = translator;
    o.frames = 4;
    o.height = o.width = 32;
    o.hid_S = 16;
    o.hid_T = 64;
    o.N_S = 2;
    o.N_T = 3;
    o.mlp_ratio = 4.0;
    return o;
}

/// Frames that the encoder's stride does not divide, colours, channels that are no multiple of a vector.
SimVPOptions odd_options(const std::string& translator) {
    auto o = small_options(translator);
    o.channels = 3;
    o.frames = 3;
    o.height = 45;
    o.width = 30;
    o.hid_S = 24;
    o.hid_T = 40;
    o.output_frames = 5;                                  // rolls out
    if (o.translator == "swin") o.height = o.width = 27;  // its windows (7) must divide the padded latent
    return o;
}

/// The benchmark's sizes, with fewer blocks.
SimVPOptions wide_options(const std::string& translator) {
    auto o = small_options(translator);
    o.frames = 10;
    o.height = o.width = 64;
    o.hid_S = 64;
    o.hid_T = 512;
    o.N_S = 4;
    o.N_T = 2;
    o.mlp_ratio = 8.0;
    return o;
}

void expect_equal(const SimVPOptions& options, std::int64_t batch, cpu::Isa isa = cpu::best_isa(),
                  Tuner* tuner = nullptr) {
    SCOPED_TRACE(options.to_json().dump() + ", batch " + std::to_string(batch) + ", " + cpu::isa_name(isa));
    const torch::NoGradGuard no_grad;
    auto model = random_model(options);
    PlannedInference fast(*model, Precision::fp32, cpu::kernels(isa), tuner);
    const auto x = torch::rand({batch, options.frames, options.channels, options.height, options.width});
    const auto plain = model->predict(x);
    const auto first = fast.predict(x, options.predicted_frames());
    EXPECT_LT(difference(first, plain), 1e-5);
    EXPECT_TRUE(fast.predict(x, options.predicted_frames()).equal(first))
        << "a second run in the same buffers differs";
}

class PlannedInferenceTest : public testing::TestWithParam<std::string> {};

TEST_P(PlannedInferenceTest, EqualsThePlainPath) {
    expect_equal(small_options(GetParam()), 2);
}

TEST_P(PlannedInferenceTest, EqualsItInEveryVariant) {
    for (const auto isa : cpu::available_isas()) expect_equal(small_options(GetParam()), 1, isa);
}

TEST_P(PlannedInferenceTest, OddSizes) {
    expect_equal(odd_options(GetParam()), 3);
}

TEST_P(PlannedInferenceTest, BenchmarkWidths) {
    expect_equal(wide_options(GetParam()), 1);
}

/// Products in bfloat16 against the plain path in float32: about as near to it as the plain path in mixed
/// precision is. That rounds what goes from layer to layer as well; here Winograd's points are rounded.
void expect_as_near_as_autocast(const SimVPOptions& options, const cpu::Kernels& kernels = cpu::kernels(),
                                Tuner* tuner = nullptr) {
    SCOPED_TRACE(options.to_json().dump() + ", " + cpu::isa_name(kernels.isa));
    const torch::NoGradGuard no_grad;
    auto model = random_model(options);
    PlannedInference fast(*model, Precision::bf16, kernels, tuner);
    const auto x = torch::rand({2, options.frames, options.channels, options.height, options.width});
    const auto exact = model->predict(x);
    torch::Tensor rounded;
    {
        const Autocast autocast(torch::kCPU, true);
        rounded = model->predict(x).to(torch::kFloat32);
    }
    const auto found = fast.predict(x, options.predicted_frames());
    testing::Test::RecordProperty("deviation", std::to_string(test::distance(found, exact)));
    testing::Test::RecordProperty("deviation_of_autocast", std::to_string(test::distance(rounded, exact)));
    EXPECT_LT(test::distance(found, exact), 1.5 * test::distance(rounded, exact));
    EXPECT_GT(test::distance(found, exact), 1e-5) << "nothing was rounded";
    EXPECT_TRUE(fast.predict(x, options.predicted_frames()).equal(found))
        << "a second run in the same buffers differs";
}

TEST_P(PlannedInferenceTest, Bfloat16InEveryVariant) {
    for (const auto isa : cpu::available_isas())
        expect_as_near_as_autocast(small_options(GetParam()), cpu::kernels(isa));
}

/// What is built on the processor's tiles, on any machine.
TEST_P(PlannedInferenceTest, Bfloat16OnEmulatedTiles) {
    auto o = small_options(GetParam());
    o.N_T = 2;
    if (o.translator != "swin") o.height = o.width = 24;
    expect_as_near_as_autocast(o, test::emulated_tiles());
}

TEST_P(PlannedInferenceTest, Bfloat16AtBenchmarkWidths) {
    expect_as_near_as_autocast(wide_options(GetParam()));
}

TEST_P(PlannedInferenceTest, Bfloat16AtOddSizes) {
    expect_as_near_as_autocast(odd_options(GetParam()));
}

/// A Tuner by whose file LibTorch computes all products of these options that it has a choice of.
Tuner library_tuner(const SimVPOptions& options, Precision precision, const fs::path& file) {
    Tuner asked({});
    PlannedInference(*random_model(options), precision, cpu::kernels(), &asked);
    auto choices = asked.choices();
    for (auto& [work, name] : choices) name = "libtorch";
    write_json(file, {{"choices", choices}});
    return Tuner(file);
}

TEST_P(PlannedInferenceTest, ProductsByLibTorch) {
    auto options = wide_options(GetParam());
    options.mlp_ratio = 4.0;
    const test::TemporaryFolder folder;
    auto tuner = library_tuner(options, Precision::fp32, folder / "fp32.json");
    EXPECT_EQ(tuner.choices().empty(), GetParam() == "identity");
    expect_equal(options, 1, cpu::best_isa(), &tuner);
    auto rounded = library_tuner(options, Precision::bf16, folder / "bf16.json");
    expect_as_near_as_autocast(options, cpu::kernels(), &rounded);
}

INSTANTIATE_TEST_SUITE_P(all, PlannedInferenceTest, testing::ValuesIn(test::translator_names()),
                         [](const auto& param) { return param.param; });

TEST(PlannedInference, FiltersOfOtherSizes) {
    auto o = small_options("identity");
    o.spatio_kernel_enc = 5;
    o.spatio_kernel_dec = 7;
    o.N_S = 4;
    expect_equal(o, 1);
}

TEST(PlannedInference, PicturesOfManyChannels) {
    for (const std::int64_t channels : {2, 16, 20}) {
        auto o = small_options("convnext");
        o.channels = channels;
        o.height = o.width = 64;  // whole blocks of tiles
        o.frames = 2;
        expect_equal(o, 1);
        expect_as_near_as_autocast(o);
    }
}

TEST(PlannedInference, OddSizesOnEmulatedTiles) {
    expect_as_near_as_autocast(odd_options("moganet"), test::emulated_tiles());
}

TEST(PlannedInference, GroupsOfAnOddNumberOfChannels) {
    auto o = small_options("incepu");
    o.hid_T = 48;  // 24 hidden channels in 8 groups
    expect_equal(o, 1);
    expect_as_near_as_autocast(o);
}

TEST(PlannedInference, FiltersThatAreLargerThanThePicture) {
    auto o = small_options("identity");
    o.spatio_kernel_enc = o.spatio_kernel_dec = 69;
    expect_equal(o, 1);
}

TEST(PlannedInference, WideLatents) {
    // More pixels than a block of rows, and more tiles across than a block of tiles.
    auto o = small_options("convnext");
    o.frames = 2;
    o.height = 20;
    o.width = 300;
    expect_equal(o, 1);
}

TEST(PlannedInference, RefusesWhatItCanNotDo) {
    auto model = random_model(small_options("identity"));
    EXPECT_THROW(PlannedInference(*model).forward(torch::rand({1, 4, 1, 32, 31})), Error);
    model->train();
    EXPECT_THROW(PlannedInference{*model}, Error);
}

TEST(PlannedInference, NoAllocationAfterTheFirstCall) {
    auto model = random_model(small_options("moganet"));
    PlannedInference fast(*model);
    const auto x = torch::rand({1, 4, 1, 32, 32});
    auto out = torch::empty_like(x);
    fast.forward(x, out);
    const auto before = fast.buffer_bytes();
    fast.forward(x, out);
    EXPECT_EQ(fast.buffer_bytes(), before);
    EXPECT_GT(before, 0U);
}

}  // namespace
}  // namespace stl
