// Training on values of any range: the network and its loss see them normalised, metrics as they are stored.
#include "stl/run/normalizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "stl/core/error.h"
#include "stl/run/run_folder.h"
#include "stl/train/trainer.h"

namespace stl {
namespace {

constexpr double mean = 270, deviation = 8;

TEST(Normalizer, AppliesByChannelAndUndoes) {
    const Normalizer n({{10, -1}, {2, 4}}, torch::kCPU);
    const auto x = torch::rand({2, 3, 2, 4, 5});
    const auto y = n.apply(x);
    EXPECT_TRUE(torch::allclose(y.select(2, 0), (x.select(2, 0) - 10) / 2));
    EXPECT_TRUE(torch::allclose(y.select(2, 1), (x.select(2, 1) + 1) / 4));
    EXPECT_TRUE(torch::allclose(n.undo(y), x, 1e-5, 1e-5));
    EXPECT_TRUE(Normalizer().apply(x).is_same(x));
    EXPECT_TRUE(Normalizer().undo(x).is_same(x));
}

class NormalizedTraining : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / fmt::format("stl-normal-{}", ::getpid());
        fs::create_directories(folder_);
        torch::manual_seed(3);
        const auto values = torch::randn({8, 4, 1, 8, 8});
        write("normal.h5", values, Json::object());
        write("stored.h5", values * deviation + mean, {{"mean", mean}, {"std", deviation}});
    }
    void TearDown() override { fs::remove_all(folder_); }

    void write(const std::string& name, const torch::Tensor& values, const Json& attributes) const {
        const auto writer = create_sequences((folder_ / name).string(), 8, {4, 1, 8, 8},
                                             {.dtype = DType::f32, .attributes = attributes});
        std::vector<Split> splits(8, Split::train);
        splits[6] = splits[7] = Split::validation;
        writer->append({values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel())});
        writer->set_splits(splits);
        writer->finish();
    }
    /// The run's last line of metrics, after an epoch.
    Json trained_on(const std::string& file, const std::string& run) const {
        const Json experiment = {
            {"dataset",
             {{"name", "file"},
              {"path", (folder_ / file).string()},
              {"input_frames", 2},
              {"output_frames", 2}}},
            {"model",
             {{"translator", "gsta"}, {"hid_S", 4}, {"hid_T", 8}, {"N_S", 2}, {"N_T", 2}, {"mlp_ratio", 2}}},
            {"train", {{"epochs", 1}, {"batch_size", 3}, {"lr", 0.005}, {"threads", 1}}}};
        TrainRequest request;
        request.experiment = parse_experiment(experiment, "test");
        request.run = folder_ / run;
        request.device = "cpu";
        Reporter silent;
        train(request, silent);
        const auto text = read_text(folder_ / run / "metrics.jsonl");
        const auto before = text.rfind('\n', text.size() - 2);
        return Json::parse(text.substr(before == std::string::npos ? 0 : before + 1));
    }

    fs::path folder_;
};

TEST_F(NormalizedTraining, LossesAreTheNetworksMetricsTheDatas) {
    const auto normal = trained_on("normal.h5", "a"), stored = trained_on("stored.h5", "b");
    EXPECT_NEAR(stored["train_loss"].get<double>(), normal["train_loss"].get<double>(), 1e-4);
    EXPECT_NEAR(stored["val_loss"].get<double>(), normal["val_loss"].get<double>(), 1e-4);
    EXPECT_NEAR(stored["mse"].get<double>() / normal["mse"].get<double>(), deviation * deviation, 0.05);
    EXPECT_NEAR(stored["mae"].get<double>() / normal["mae"].get<double>(), deviation, 0.005);
    // The run remembers, whatever becomes of the file.
    const auto dataset = read_json(RunFolder::open(folder_ / "b").experiment_file())["dataset"];
    EXPECT_EQ(dataset["mean"], mean);
    EXPECT_EQ(dataset["std"], deviation);
    EXPECT_FALSE(read_json(RunFolder::open(folder_ / "a").experiment_file())["dataset"].contains("mean"));
}

}  // namespace
}  // namespace stl
