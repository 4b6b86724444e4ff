// Exported files: what they hold, and what cannot be exported.
#include "stl/export/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/import.h>

#include "tests/support/distance.h"
#include "tests/support/small_run.h"

namespace stl {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::write_small_run;

PredictorOptions options_of(const fs::path& source, const std::string& weights = "last") {
    PredictorOptions o;
    o.source = source.string();
    o.weights = weights;
    o.device = "cpu";
    o.threads = 1;
    return o;
}

void export_run(const fs::path& source, const fs::path& output, const ExportOptions& options = {},
                const std::string& weights = "last") {
    Reporter reporter;
    export_network(load_trained(options_of(source, weights), reporter), output, options);
}

TEST(Export, TorchScriptPredictsAsThePredictorDoes) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    for (const auto* weights : {"last", "best"}) {
        export_run(folder / "run", folder / "a.pt", {.frames = 5}, weights);
        auto module = torch::jit::load((folder / "a.pt").string());
        const auto x = torch::rand({3, 3, 1, 16, 16});
        const auto expected = Predictor(options_of(folder / "run", weights)).predict(x, 5);
        const auto found = module.forward({x}).toTensor();
        EXPECT_FALSE(found.requires_grad());
        EXPECT_LT(test::distance(found, expected), 1e-5) << weights;
    }
}

TEST(Export, MeanAndDeviationAreInside) {
    const TemporaryFolder folder;
    auto experiment = testing::small_experiment();
    experiment["dataset"]["mean"] = 280.0;
    experiment["dataset"]["std"] = 20.0;
    auto run = write_small_run(folder / "run");
    write_json(run.experiment_file(), experiment);
    export_run(folder / "run", folder / "a.pt", {.frames = 5});
    const auto x = torch::randn({2, 3, 1, 16, 16}) * 20 + 280;
    const auto expected = Predictor(options_of(folder / "run")).predict(x, 5);
    const auto found = torch::jit::load((folder / "a.pt").string()).forward({x}).toTensor();
    EXPECT_LT(test::distance(found - 280, expected - 280), 1e-5);
    export_run(folder / "run", folder / "a.onnx");
    const auto record = read_exported(folder / "a.onnx")->record;
    EXPECT_EQ(record["mean"], 280.0);
    EXPECT_EQ(record["std"], 20.0);
}

TEST(Export, TheRecordIsReadBack) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    for (const auto* name : {"a.onnx", "b.pt"}) {
        SCOPED_TRACE(name);
        export_run(folder / "run", folder / name, {.frames = 5, .half = true, .fold = false}, "best");
        const auto exported = read_exported(folder / name);
        ASSERT_TRUE(exported);
        const auto& record = exported->record;
        EXPECT_EQ(record["input"]["shape"], (Json{"batch", 3, 1, 16, 16}));
        EXPECT_EQ(record["output"]["shape"], (Json{"batch", 5, 1, 16, 16}));
        EXPECT_EQ(record["model"], testing::small_model().to_json());
        EXPECT_EQ(record["epoch"], 3);
        EXPECT_EQ(record["checkpoint"], "run/best.pth");
        EXPECT_EQ(record["experiment"], read_json(folder / "run/experiment.json"));
        EXPECT_EQ(record["half"], true);
        EXPECT_EQ(record["folded"], false);
        for (const auto* unknown : {"mean", "std", "range", "fps", "metrics"})
            EXPECT_TRUE(record.at(unknown).is_null()) << unknown;
        EXPECT_EQ(exported->onnx.has_value(), exported->format == ExportFormat::onnx);
    }
}

TEST(Export, MetricsAreThoseOfTheWeightsOwnEpoch) {
    const TemporaryFolder folder;
    const auto run = write_small_run(folder / "run");
    const auto metrics = [&](const std::string& weights) {
        export_run(run.path(), folder / "a.onnx", {}, weights);
        return read_exported(folder / "a.onnx")->record["metrics"];
    };
    run.append_metrics({{"epoch", 3}, {"val_loss", 0.5}, {"mse", 20.0}});
    run.append_metrics({{"epoch", 7}, {"val_loss", 0.25}, {"mse", 10.0}});
    EXPECT_EQ(metrics("best"), (Json{{"of", "validation"}, {"val_loss", 0.5}, {"mse", 20.0}}));
    EXPECT_EQ(metrics("last")["mse"], 10.0);
    write_json(run.evaluation_file(), {{"epoch", 7},
                                       {"mse", 9.0},
                                       {"per_frame", {{"mse", {8.0, 10.0}}}},
                                       {"ssim_mode", "openstl"},
                                       {"test_set", "a.h5"}});
    EXPECT_EQ(metrics("last"),
              (Json{{"of", "test"}, {"test_set", "a.h5"}, {"mse", 9.0}, {"ssim_mode", "openstl"}}));
    EXPECT_EQ(metrics("best")["of"], "validation");
}

TEST(Export, HalvedFilesAreAboutHalfAsLarge) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    const auto bytes_of_weights = [&](bool half) {
        export_run(folder / "run", folder / "a.onnx", {.half = half});
        return static_cast<double>(read_exported(folder / "a.onnx")->onnx->tensor_bytes);
    };
    EXPECT_LT(bytes_of_weights(true), 0.7 * bytes_of_weights(false));
}

TEST(Export, OtherEndingsAndFilesThatAreThereAreRefused) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    EXPECT_THAT(error_of([&] { export_run(folder / "run", folder / "a.pth"); }),
                HasSubstr("unknown format '.pth', expected .onnx or .pt (TorchScript)"));
    for (const auto* name : {"a.onnx", "a.pt"}) {
        write_text(folder / name, "mine");
        EXPECT_THAT(error_of([&] { export_run(folder / "run", folder / name, {.replace = false}); }),
                    HasSubstr("exists already"));
        EXPECT_EQ(read_text(folder / name), "mine");
    }
}

TEST(Export, OtherFilesAreNotTakenForExportedOnes) {
    const TemporaryFolder folder;
    const auto run = write_small_run(folder / "run");
    fs::copy_file(run.checkpoint("last"), folder / "a.pt");
    EXPECT_FALSE(read_exported(folder / "a.pt"));
    EXPECT_FALSE(read_exported(run.checkpoint("last")));
    write_text(folder / "b.pt", "nothing");
    EXPECT_FALSE(read_exported(folder / "b.pt"));
    EXPECT_FALSE(read_exported(folder / "run"));
}

}  // namespace
}  // namespace stl
