// The whole way, as a user goes it: make data, train, evaluate, predict, compare, render, convert.
#include <gmock/gmock.h>

#include <sstream>

#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::HasSubstr;

class JourneyTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        write_text(folder_ / "tiny.json", R"({
            "dataset": {"name": "mmnist", "train_sequences": 16, "val_sequences": 4},
            "model": {"translator": "moganet", "hid_S": 4, "hid_T": 16, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
            "train": {"epochs": 1, "batch_size": 4, "threads": 1}})");
    }
};

TEST_F(JourneyTest, FromDataToVideo) {
    good("generate mmnist --split test --sequences 6 --output test.h5");
    good("train tiny.json --run run --device cpu --log-every 1");
    EXPECT_TRUE(fs::exists(folder_ / "run/checkpoints/last.pth"));
    EXPECT_TRUE(fs::exists(folder_ / "run/checkpoints/best.pth"));
    EXPECT_TRUE(fs::exists(folder_ / "run/samples/step-4.png"));
    EXPECT_THAT(read_text(folder_ / "run/report.html"), HasSubstr("Learning curves"));

    const auto evaluation = json("evaluate run --data test.h5 --json");
    for (const char* key : {"mse", "mae", "rmse", "ssim", "psnr", "ssim_mode", "per_frame", "baselines"}) {
        EXPECT_TRUE(evaluation.contains(key)) << key;
    }
    EXPECT_EQ(evaluation["per_frame"]["mse"].size(), 10U);
    EXPECT_EQ(evaluation["ssim_mode"], "openstl");

    // Predicting and then measuring is the same as evaluating.
    good("predict run --input test.h5 --output prediction.h5");
    good("predict run --input test.h5 --output prediction.mp4");
    EXPECT_TRUE(fs::exists(folder_ / "prediction.mp4"));
    const auto measured = json("metrics prediction.h5 test.h5 --skip 10 --json");
    for (const char* key : {"mse", "mae", "ssim", "psnr"}) {
        EXPECT_NEAR(measured[key].get<double>(), evaluation[key].get<double>(),
                    1e-5 * evaluation[key].get<double>())
            << key;
    }

    good("render run --data test.h5 --output out.gif");
    EXPECT_TRUE(fs::exists(folder_ / "out.gif"));
    EXPECT_GT(json("info run --json")["parameters"].get<std::int64_t>(), 0);

    good("convert run/checkpoints/last.pth last.safetensors");
    good("predict last.safetensors --input test.h5 --output again.h5");
    EXPECT_NEAR(json("metrics again.h5 prediction.h5 --json")["mse"].get<double>(), 0, 1e-9);
}

TEST_F(JourneyTest, CtrlCSavesAndTheRunGoesOn) {
    const std::string train = "train tiny.json --run run --device cpu --log-every 1 --set train.epochs=500";
    const auto first = interrupted(train, folder_ / "run/metrics.jsonl");
    EXPECT_EQ(first.status, 130) << first.err;
    EXPECT_THAT(first.err, HasSubstr("--set train.epochs=500 --run run --resume"));
    EXPECT_EQ(json("info run --json")["parameters"],
              json("info run/checkpoints/last.pth --json")["parameters"]);
    EXPECT_EQ(parse_json(read_text(folder_ / "run/run.json"), "run.json")["state"], "stopped");
    const auto second = interrupted(train + " --resume", folder_ / "run/metrics.jsonl");
    EXPECT_EQ(second.status, 130) << second.err;
    // Every step stands there once.
    std::istringstream lines(read_text(folder_ / "run/metrics.jsonl"));
    std::int64_t step = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto entry = parse_json(line, "metrics.jsonl");
        if (!entry.contains("step")) continue;
        EXPECT_EQ(entry["step"], ++step);
    }
    EXPECT_GT(step, 1);
}

TEST_F(JourneyTest, SeedsRepeatARun) {
    const std::string train = "train tiny.json --run run --device cpu --seeds 2 --set train.steps=2";
    good(train);
    EXPECT_EQ(json("info run-seed1 --json")["parameters"], json("info run-seed2 --json")["parameters"]);
    EXPECT_EQ(parse_json(read_text(folder_ / "run-seed2/experiment.json"), "")["train"]["seed"], 2);
    EXPECT_EQ(stl(train).status, 1) << "both are there already";
    fs::remove_all(folder_ / "run-seed2");
    good(train + " --resume");
    EXPECT_TRUE(fs::exists(folder_ / "run-seed2/checkpoints/last.pth"));
}

TEST_F(JourneyTest, WrongCommandsAreRefusedInOneLine) {
    const auto refused = [&](const std::string& arguments, int status, const std::string& what) {
        const auto outcome = stl(arguments);
        EXPECT_EQ(outcome.status, status) << arguments << "\n" << outcome.err;
        EXPECT_TRUE(is_one_line(outcome.err)) << arguments << "\n" << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(what)) << arguments;
        EXPECT_EQ(outcome.out, "") << arguments;
    };
    refused("", 2, "subcommand");
    refused("tarin tiny.json", 2, "unknown subcommand 'tarin' (did you mean 'train'?)");
    refused("train tiny.json --sett a=b", 2, "--sett");
    refused("train tiny.json --set train.lr", 2, "KEY=VALUE");
    refused("train none.json", 1, "none.json: no such file");
    refused("train tiny.json --set train.epoch=3", 1, "did you mean 'epochs'?");
    refused("train tiny.json --set model.translator=mogant", 1, "'moganet'");
    refused("train tiny.json --device cuda:9", 1, "cuda:9");
    refused("train tiny.json --device gpu", 1, "expected cpu");
    good("generate mmnist --split test --sequences 1 --output a.h5");
    refused("predict none.pth --input a.h5 --output b.h5", 1, "none.pth");
    refused("predict --input a.h5 --output b.h5", 2, "RUN or CHECKPOINT");
    refused("evaluate none", 1, "none");
    write_text(folder_ / "empty.h5", "");
    refused("render empty.h5 --output a.gif", 1, "empty.h5");
    write_text(folder_ / "run/notes.txt", "mine");
    refused("train tiny.json --run run --device cpu", 1, "run: exists already");
    EXPECT_EQ(read_text(folder_ / "run/notes.txt"), "mine");
    refused("generate mmnist --sequences 2 --output run/notes.txt", 1, "notes.txt");
    EXPECT_EQ(read_text(folder_ / "run/notes.txt"), "mine");
}

TEST_F(JourneyTest, HelpAndVersion) {
    EXPECT_THAT(good("--help").out, HasSubstr("train"));
    EXPECT_THAT(good("train --help").out, HasSubstr("--max-minutes"));
    EXPECT_THAT(good("--version").out, HasSubstr("stl 0."));
    EXPECT_TRUE(json("doctor --json").contains("devices"));
}

}  // namespace
}  // namespace stl
