#include "stl/eval/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/core/error.h"
#include "stl/eval/record.h"
#include "stl/eval/trivial.h"
#include "tests/support/small_run.h"

namespace stl {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::NoiseDataset;
using testing::TemporaryFolder;
using testing::write_small_checkpoint;
using testing::write_small_run;

Predictor small_predictor(const fs::path& source) {
    PredictorOptions o;
    o.source = source.string();
    o.device = "cpu";
    o.threads = 1;
    return Predictor(o);
}

MetricValues measured(const torch::Tensor& prediction, const torch::Tensor& truth) {
    MetricAccumulator metrics;
    metrics.add(prediction, truth);
    return metrics.value();
}

TEST(Evaluate, MeasuresTheNetworkAndTheTrivialPredictors) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    auto predictor = small_predictor(folder / "a.pth");
    const NoiseDataset data(7, {5, 1, 16, 16});
    Reporter silent;
    const auto result = evaluate(predictor, data, {.batch_size = 3}, silent);

    const auto all = data.tensor();
    const auto input = all.slice(1, 0, 3), target = all.slice(1, 3, 5);
    const auto own = measured(predictor.predict(input, 2), target);
    EXPECT_NEAR(result.metrics["mse"], own["mse"], 1e-6 * own["mse"]);
    EXPECT_EQ(result.metrics.sequences, 7);
    EXPECT_EQ(result.output_frames, 2);

    ASSERT_EQ(result.trivial.size(), 3U);
    EXPECT_EQ(result.trivial[0].first, "copy");
    EXPECT_EQ(result.trivial[0].second["mse"],
              measured(all.slice(1, 2, 3).repeat({1, 2, 1, 1, 1}), target)["mse"]);
    EXPECT_EQ(result.trivial[1].first, "black");
    EXPECT_NEAR(result.trivial[1].second["mse"],
                target.to(torch::kFloat64).square().sum().item<double>() / 14, 1e-9);
    EXPECT_EQ(result.trivial[2].first, "mean");
    EXPECT_EQ(result.trivial[2].second["mae"],
              measured(input.mean(1, true).repeat({1, 2, 1, 1, 1}), target)["mae"]);
}

TEST(Evaluate, DoesNotDependOnTheBatch) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    auto predictor = small_predictor(folder / "a.pth");
    const NoiseDataset data(5, {6, 1, 16, 16});
    Reporter silent;
    const auto one = evaluate(predictor, data, {.batch_size = 1}, silent);
    const auto many = evaluate(predictor, data, {.batch_size = 100}, silent);
    EXPECT_NEAR(one.metrics["mse"], many.metrics["mse"], 1e-5 * one.metrics["mse"]);
    EXPECT_EQ(one.trivial[0].second["ssim"], many.trivial[0].second["ssim"]);
    EXPECT_EQ(one.output_frames, 3);
}

TEST(Evaluate, JsonHasWhatTheContractSays) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    auto predictor = small_predictor(folder / "run");
    Reporter silent;
    const auto result = evaluate(predictor, NoiseDataset(2, {5, 1, 16, 16}), {}, silent);
    const auto json = evaluation_document(predictor, "last", result);
    for (const char* key : {"mse", "mae", "rmse", "ssim", "psnr"}) {
        EXPECT_TRUE(json[key].is_number()) << key;
        EXPECT_EQ(json["per_frame"][key].size(), 2U) << key;
        EXPECT_TRUE(json["baselines"]["copy"][key].is_number()) << key;
    }
    EXPECT_EQ(json["ssim_mode"], "openstl");
    EXPECT_EQ(json["test_set"], "noise");
    EXPECT_EQ(json["translator"], "gsta");
    EXPECT_EQ(json["dataset"], "file");
    EXPECT_EQ(json["epochs"], 7);
    EXPECT_EQ(json["seed"], 5);
    EXPECT_EQ(json["training"]["hours"], 2.0);
    EXPECT_TRUE(json["published"].is_null());
    EXPECT_GT(json["macs"], 0);
}

TEST(Evaluate, RecordsFinishedRunsOnly) {
    const TemporaryFolder folder;
    const auto run = write_small_run(folder / "run");
    auto predictor = small_predictor(folder / "run");
    Reporter silent;
    const auto result = evaluate(predictor, NoiseDataset(2, {5, 1, 16, 16}), {}, silent);
    const auto document = evaluation_document(predictor, "last", result);
    write_text(folder / "data.bin", "abc");
    const auto record = record_document(document, predictor, {folder / "data.bin"}, result, 3);
    EXPECT_EQ(record["data_files"][0]["sha256"],
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(record["best"]["epoch"], 3);
    EXPECT_EQ(record["best"]["mse"], record["mse"]);
    EXPECT_EQ(record_file("results", predictor), "results/file/run.json");

    auto unfinished = document;
    unfinished["training"]["state"] = "stopped";
    auto not_finite = document;
    not_finite["mse"] = nullptr;
    EXPECT_THAT(error_of([&] { record_document(not_finite, predictor, {}, std::nullopt, 0); }),
                HasSubstr("cannot be recorded: its MSE is not finite"));
    EXPECT_THAT(error_of([&] { record_document(unfinished, predictor, {}, std::nullopt, 0); }),
                HasSubstr("not finished (state stopped)"));
    write_small_checkpoint(folder / "a.pth", 4);
    EXPECT_THAT(error_of([&] { record_file("results", small_predictor(folder / "a.pth")); }),
                HasSubstr("only a run"));
}

TEST(Evaluate, SaysWhatDoesNotFit) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    auto predictor = small_predictor(folder / "a.pth");
    Reporter silent;
    const auto run = [&](SequenceShape shape) {
        return error_of([&] { evaluate(predictor, NoiseDataset(2, shape), {}, silent); });
    };
    EXPECT_THAT(run({5, 1, 16, 20}), HasSubstr("frames of 1x16x20"));
    EXPECT_THAT(run({3, 1, 16, 16}), HasSubstr("sequences of 3 frames, expected more than the 3"));
    EXPECT_THROW(evaluate(predictor, NoiseDataset(2, {5, 1, 16, 16}), {}, silent, [] { return true; }),
                 Interrupted);
}

}  // namespace
}  // namespace stl
