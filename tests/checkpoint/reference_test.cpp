// The reference's checkpoints: every format of every translator, told, fitted and equal to each other.

#include "tests/checkpoint/support.h"

namespace stl {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> folders() {
    std::vector<std::string> names;
    for (const auto& item : fs::directory_iterator(models_folder)) {
        if (item.is_directory()) names.push_back(item.path().filename());
    }
    std::ranges::sort(names);
    return names;
}

class Reference : public ::testing::TestWithParam<std::string> {
  protected:
    fs::path folder() const { return models_folder / GetParam(); }
    Json config() const { return read_json(folder() / "config.json"); }
    Json frame() const { return {{"in_shape", config()["in_shape"]}}; }
    std::vector<fs::path> files() const {
        std::vector<fs::path> out;
        for (const auto& item : fs::directory_iterator(folder())) {
            const auto extension = item.path().extension();
            if (extension == ".pth" || extension == ".ckpt") out.push_back(item.path());
        }
        return out;
    }
};

TEST_P(Reference, TheConfigurationIsToldFromTheWeights) {
    const auto expected = config();
    for (const auto& file : files()) {
        SCOPED_TRACE(file.string());
        auto checkpoint = read_checkpoint(file, false);
        checkpoint.hyper_parameters = nullptr;
        const auto options = model_options(checkpoint, frame(), "test");
        EXPECT_EQ(options.translator, SimVPOptions::from_json({{"model_type", expected["model_type"]},
                                                               {"in_shape", expected["in_shape"]},
                                                               {"hid_S", expected["hid_S"]},
                                                               {"hid_T", expected["hid_T"]},
                                                               {"N_S", expected["N_S"]},
                                                               {"N_T", expected["N_T"]}},
                                                              "config")
                                          .translator);
        EXPECT_EQ(options.frames, expected["in_shape"][0]);
        EXPECT_EQ(options.channels, expected["in_shape"][1]);
        EXPECT_EQ(options.hid_S, expected["hid_S"]);
        EXPECT_EQ(options.hid_T, expected["hid_T"]);
        EXPECT_EQ(options.N_S, expected["N_S"]);
        EXPECT_EQ(options.N_T, expected["N_T"]);
        EXPECT_EQ(options.spatio_kernel_enc, expected["spatio_kernel_enc"]);
        EXPECT_EQ(options.spatio_kernel_dec, expected["spatio_kernel_dec"]);
        if (std::ranges::count(find_translator(options.translator, "test").keys, "mlp_ratio") > 0) {
            EXPECT_EQ(options.mlp_ratio, expected["mlp_ratio"].get<double>());
        }
        EXPECT_EQ(options.drop_path, 0.0);
    }
}

TEST_P(Reference, TheFrameSizeIsAskedForWhereNothingTellsIt) {
    auto checkpoint = read_checkpoint(folder() / "checkpoint.pth", false);
    const auto message = error_of([&] { model_options(checkpoint, nullptr, "x.pth"); });
    EXPECT_THAT(message, HasSubstr("x.pth: the frame size can't be told from the weights"));
    EXPECT_THAT(message, HasSubstr("--model M.json: {\"in_shape\": ["));
    if (GetParam() == "mlp") {
        EXPECT_THAT(message, HasSubstr("height times width is "));
    }
}

TEST_P(Reference, EveryFormatHoldsTheSameWeights) {
    const auto first = read_checkpoint(folder() / "checkpoint.pth");
    for (const auto& file : files()) {
        SCOPED_TRACE(file.string());
        const auto other = read_checkpoint(file);
        expect_same(other.state, first.state);
    }
}

TEST_P(Reference, WeightsFitTheModelInNameOrderShapeAndValue) {
    const auto checkpoint = read_checkpoint(folder() / "checkpoint.pth", false);
    SimVP model(model_options(checkpoint, frame(), "test"));
    load_weights(*model, checkpoint.state, "test");
    expect_same(state_of(*model), checkpoint.state);
}

TEST_P(Reference, TheOptimizersStateIsInTheOrderOfTheParameters) {
    const auto checkpoint = read_checkpoint(folder() / "checkpoint.pth");
    ASSERT_TRUE(checkpoint.optimizer.has_value());
    const auto& optimizer = *checkpoint.optimizer;
    EXPECT_EQ(optimizer.group["eps"], 1e-8);
    EXPECT_EQ(optimizer.group["betas"].size(), 2u);
    EXPECT_FALSE(optimizer.group.contains("params"));
    const SimVP model(model_options(checkpoint, frame(), "test"));
    const auto parameters = model->parameters();
    ASSERT_EQ(optimizer.parameters.size(), parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const auto& state = optimizer.parameters[i];
        if (!state.exp_avg.defined()) continue;
        EXPECT_EQ(state.step, 8.0);
        EXPECT_EQ(state.exp_avg.sizes(), parameters[i].sizes());
        EXPECT_EQ(state.exp_avg_sq.sizes(), parameters[i].sizes());
    }
    EXPECT_EQ(checkpoint.scheduler["total_steps"], config()["train"]["total_steps"]);
    EXPECT_FALSE(checkpoint.scheduler.contains("anneal_func"));
    EXPECT_EQ(checkpoint.epoch, 1);
}

INSTANTIATE_TEST_SUITE_P(Models, Reference, ::testing::ValuesIn(folders()),
                         [](const auto& info) { return info.param; });

TEST(ReferenceLightning, TheConstructorsArgumentsTellTheFrameSize) {
    for (const auto* name : {"moga", "swin"}) {
        SCOPED_TRACE(name);
        const auto config = read_json(models_folder / name / "config.json");
        const auto checkpoint = read_checkpoint(models_folder / name / "checkpoint_lightning.ckpt");
        const auto options = model_options(checkpoint, nullptr, "test");
        EXPECT_EQ(options.height, config["in_shape"][2]);
        EXPECT_EQ(options.width, config["in_shape"][3]);
        EXPECT_EQ(options.output_frames, config["aft_seq_length"]);
        EXPECT_EQ(checkpoint.scheduler["last_epoch"], 8);
        ASSERT_TRUE(checkpoint.optimizer.has_value());
    }
}

}  // namespace
}  // namespace stl
