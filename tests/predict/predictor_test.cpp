#include "stl/predict/predictor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/cpu/isa.h"
#include "stl/gpu/emulated/emulated_kernels.h"
#include "stl/gpu/plugin.h"
#include "tests/support/distance.h"
#include "tests/support/notes.h"
#include "tests/support/small_run.h"

namespace stl {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::write_small_checkpoint;
using testing::write_small_run;

PredictorOptions plain(const fs::path& source) {
    PredictorOptions o;
    o.source = source.string();
    o.device = "cpu";
    o.threads = 1;
    o.path = Path::plain;
    return o;
}

TEST(Predictor, PredictsWhatTheNetworkPredicts) {
    const TemporaryFolder folder;
    auto model = write_small_checkpoint(folder / "a.pth", 4);
    Predictor predictor(plain(folder / "a.pth"));
    const auto x = torch::rand({2, 3, 1, 16, 16});
    const auto expected = model->predict(x, 5).detach();
    EXPECT_TRUE(torch::equal(predictor.predict(x, 5), expected));
    EXPECT_EQ(predictor.output_frames(), 2);
    EXPECT_TRUE(torch::equal(predictor.predict(x), expected.slice(1, 0, 2)));
    EXPECT_FALSE(predictor.predict(x).requires_grad());
    EXPECT_EQ(predictor.epoch(), 4);
    EXPECT_EQ(predictor.run(), nullptr);
    EXPECT_EQ(predictor.experiment()["train"]["epochs"], 7);
    std::int64_t parameters = 0;
    for (const auto& p : model->parameters()) parameters += p.numel();
    EXPECT_EQ(predictor.parameters(), parameters);
}

TEST(Predictor, TheFastPathAgreesWithThePlainOne) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    auto options = plain(folder / "a.pth");
    Predictor slow(options);
    options.path = Path::fast;
    Predictor fast(options);
    const auto x = torch::rand({2, 3, 1, 16, 16});
    EXPECT_LT((slow.predict(x, 4) - fast.predict(x, 4)).abs().max().item<double>(), 1e-5);
}

TEST(Predictor, InBf16ItIsNearFp32) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    auto options = plain(folder / "a.pth");
    const auto x = torch::rand({2, 3, 1, 16, 16});
    const auto exact = Predictor(options).predict(x, 4);
    options.precision = Precision::bf16;
    Predictor slow(options);
    const bool mixes = libtorch_multiplies_bfloat16();
    EXPECT_EQ(slow.precision(), mixes ? Precision::bf16 : Precision::fp32);
    const auto rounded = slow.predict(x, 4);
    EXPECT_EQ(rounded.scalar_type(), torch::kFloat32);
    EXPECT_LT(test::distance(rounded, exact), 0.05);
    EXPECT_EQ(test::distance(rounded, exact) > 1e-5, mixes);
    options.path = Path::fast;
    Predictor fast(options);
    const bool multiplies = cpu::multiplies_bfloat16(cpu::best_isa());
    EXPECT_EQ(fast.precision(), multiplies ? Precision::bf16 : Precision::fp32);
    EXPECT_LT(test::distance(fast.predict(x, 4), exact), multiplies ? 0.05 : 1e-5);
    options.precision = Precision::fp16;
    EXPECT_THAT(error_of([&] { Predictor{options}; }), HasSubstr("precision fp16 needs a GPU"));
}

/// As on a GPU, its kernels emulated.
TEST(Predictor, TheFastPathOfAGpuAgreesWithThePlainOne) {
    const TemporaryFolder folder;
    auto model = write_small_checkpoint(folder / "a.pth", 4);
    auto options = plain(folder / "a.pth");
    options.path = Path::fast;
    options.kernels = &gpu::emulated_kernels();
    for (const auto& [precision, bound] : {std::pair{Precision::fp32, 1e-5},
                                           {Precision::tf32, 1e-5},
                                           {Precision::bf16, 0.05},
                                           {Precision::fp16, 0.01}}) {
        SCOPED_TRACE(name_of(precision));
        options.precision = precision;
        Predictor predictor(options);
        EXPECT_EQ(predictor.precision(), precision);
        EXPECT_EQ(predictor.model().translator, "gsta");
        for (const std::int64_t batch : {3, 3, 3, 3, 3, 1}) {
            const auto x = torch::rand({batch, 3, 1, 16, 16});
            const auto expected = model->predict(x, 5).detach();
            const auto off = test::distance(predictor.predict(x, 5), expected);
            EXPECT_LT(off, bound);
            EXPECT_EQ(off > 1e-5, bound > 1e-5);
        }
    }
}

TEST(Predictor, MeanAndDeviationAreAppliedAndUndone) {
    const TemporaryFolder folder;
    auto model = write_small_checkpoint(folder / "a.pth", 4, /*recorded=*/false);
    auto checkpoint = read_checkpoint(folder / "a.pth", false);
    auto experiment = testing::small_experiment();
    experiment["dataset"]["mean"] = 280.0;
    experiment["dataset"]["std"] = 20.0;
    checkpoint.stl = {{"model", model->options().to_json()}, {"experiment", experiment}};
    write_checkpoint(folder / "b.pth", checkpoint);
    const auto x = torch::randn({2, 3, 1, 16, 16});
    const auto expected = model->predict(x, 5).detach() * 20 + 280;
    EXPECT_TRUE(torch::allclose(Predictor(plain(folder / "b.pth")).predict(x * 20 + 280, 5), expected));
    // A checkpoint that tells no experiment takes what the data says.
    checkpoint.stl.erase("experiment");
    write_checkpoint(folder / "c.pth", checkpoint);
    auto options = plain(folder / "c.pth");
    options.normalization = {{280}, {20}};
    EXPECT_TRUE(torch::allclose(Predictor(options).predict(x * 20 + 280, 5), expected));
    options.normalization = {{1, 2}, {3, 4}};
    EXPECT_THAT(error_of([&] { Predictor{options}; }), HasSubstr("mean and std of 2 channels"));
}

TEST(Predictor, OfARunStandsForItsLastWeights) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    auto options = plain(folder / "run");
    EXPECT_EQ(Predictor(options).epoch(), 7);
    ASSERT_NE(Predictor(options).run(), nullptr);
    options.weights = "best";
    EXPECT_EQ(Predictor(options).epoch(), 3);
    EXPECT_EQ(Predictor(options).checkpoint(), folder / "run/checkpoints/best.pth");
}

TEST(Predictor, AnExperimentThatWasChangedIsToldOf) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    const auto warnings = [&](const std::string& key, const Json& value) {
        const auto file = folder / "run/experiment.json";
        const auto before = read_json(file);
        auto changed = before;
        changed[Json::json_pointer(key)] = value;
        write_json(file, changed);
        test::Notes notes;
        Predictor(plain(folder / "run"), notes);
        write_json(file, before);
        return notes.warnings;
    };
    const auto epochs = read_json(folder / "run/experiment.json")["train"]["epochs"].get<int>();
    EXPECT_THAT(warnings("/train/epochs", epochs), ::testing::IsEmpty());
    EXPECT_THAT(warnings("/train/epochs", 8),
                ::testing::ElementsAre(
                    HasSubstr("experiment.json: train.epochs is 8, but the network was trained with 7")));
    EXPECT_THAT(warnings("/dataset/path", "elsewhere.h5"), ::testing::IsEmpty()) << "it may have moved";
    EXPECT_THAT(warnings("/train/threads", 3), ::testing::IsEmpty());
}

TEST(Predictor, TakesTheFrameSizeFromTheDataWhereNothingElseTellsIt) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4, /*recorded=*/false);
    auto options = plain(folder / "a.pth");
    EXPECT_THAT(error_of([&] { Predictor{options}; }), HasSubstr("--model"));
    options.frame = SequenceShape{5, 1, 16, 16};
    Predictor predictor(options);
    EXPECT_EQ(predictor.model().height, 16);
    EXPECT_EQ(predictor.model().frames, 3);
    EXPECT_TRUE(predictor.experiment().is_null());

    options.frame.reset();
    write_json(folder / "m.json",
               {{"translator", "gSTA"}, {"in_shape", {3, 1, 16, 16}}, {"N_S", 2}, {"hid_S", 4}});
    options.model_json = (folder / "m.json").string();
    EXPECT_EQ(Predictor(options).model().width, 16);
}

TEST(Predictor, SaysWhatIsMissing) {
    const TemporaryFolder folder;
    EXPECT_THAT(error_of([&] { Predictor{plain(folder / "none")}; }),
                HasSubstr("none: no such run or checkpoint"));
    fs::create_directories(folder / "empty");
    EXPECT_THAT(error_of([&] { Predictor{plain(folder / "empty")}; }), HasSubstr("empty: not a run folder"));
    const auto run = write_small_run(folder / "run");
    fs::remove(run.checkpoint("best"));
    auto options = plain(folder / "run");
    options.weights = "best";
    EXPECT_THAT(error_of([&] { Predictor{options}; }), HasSubstr("run: has no best checkpoint"));
    options.weights = "first";
    EXPECT_THAT(error_of([&] { Predictor{options}; }), HasSubstr("expected last or best"));
}

}  // namespace
}  // namespace stl
