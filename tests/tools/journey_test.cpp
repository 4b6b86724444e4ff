// The whole way, as a user goes it: make data, train, evaluate, predict, compare, render, convert.
#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <vector>

#include "stl/cpu/isa.h"
#include "tests/support/environment.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::HasSubstr;

/// 32-bit floats as .npy.
std::string npy(const std::string& shape, const std::vector<float>& values) {
    std::string text("\x93NUMPY\x01\x00", 8);
    std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", shape);
    header.resize(117, ' ');
    header += '\n';
    text += static_cast<char>(header.size());
    text += '\0';
    text += header;
    return text.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

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

    const auto rounded =
        json("evaluate run --data test.h5 --device cpu --precision bf16 --path plain --json");
    EXPECT_EQ(rounded["precision"], cpu::best_isa() < cpu::Isa::avx512 ? "fp32" : "bf16");
    EXPECT_NEAR(rounded["mse"].get<double>(), evaluation["mse"].get<double>(),
                0.05 * evaluation["mse"].get<double>());
    good("predict run --input test.h5 --output rounded.h5 --precision bf16");

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

    const auto made = json("inspect prediction.h5 --json");
    EXPECT_EQ(made["attributes"]["source"], "test.h5");
    EXPECT_EQ(made["attributes"]["model"], "run");

    const auto input = read_text(folder_ / "test.h5");
    for (const char* names :
         {"--input test.h5 --output test.h5", "--input test.h5 --output ./test.h5:predictions",
          "--input test.h5:sequences --output test.h5"}) {
        for (const char* source : {"run", "none.pth"}) {  // said before the network is read
            const auto own = stl(fmt::format("predict {} {} --force", source, names));
            EXPECT_EQ(own.status, 1) << names;
            EXPECT_THAT(own.err, HasSubstr(": is the input")) << names;
        }
    }
    ASSERT_TRUE(read_text(folder_ / "test.h5") == input) << "it was replaced";
    EXPECT_EQ(stl("evaluate run --data ''").status, 2) << "empty is not the experiment's own";

    good("render run --data test.h5 --output out.gif");
    EXPECT_TRUE(fs::exists(folder_ / "out.gif"));
    EXPECT_GT(json("info run --json")["parameters"].get<std::int64_t>(), 0);

    for (const auto* file : {"next.onnx", "next.pt"}) {
        good(fmt::format("export run --output {}", file));
        EXPECT_EQ(json(fmt::format("info {} --json", file))["experiment"],
                  read_json(folder_ / "run/experiment.json"));
        EXPECT_THAT(good(fmt::format("info {}", file)).out, HasSubstr("prediction [batch, "));
    }
    refused("export run --output next.onnx", 1, "next.onnx: exists already (--force replaces it)");
    refused("export run --output next.pth", 1, "next.pth: unknown format '.pth', expected .onnx or .pt");
    refused("export run --output a.onnx --opset 16", 2, "--opset: Value 16 not in range 17 to 21");
    refused("export run --output a.pt --opset 17", 2, "--opset goes with .onnx, not with .pt");
    refused("info next.onnx --weights best", 2, "--weights goes with a run, not with an exported file");

    good("convert run/checkpoints/last.pth last.safetensors");
    good("convert run/checkpoints/last.pth capitals.SAFETENSORS");
    EXPECT_EQ(read_text(folder_ / "capitals.SAFETENSORS"), read_text(folder_ / "last.safetensors"));
    good("predict last.safetensors --input test.h5 --output again.h5");
    EXPECT_NEAR(json("metrics again.h5 prediction.h5 --json")["mse"].get<double>(), 0, 1e-9);

    const auto per_value = json("evaluate run --data test.h5 --spatial-norm --json");
    EXPECT_NEAR(per_value["mse"].get<double>() * 64 * 64, evaluation["mse"].get<double>(),
                1e-6 * evaluation["mse"].get<double>());
    EXPECT_TRUE(per_value["spatial_norm"].get<bool>());
    EXPECT_TRUE(per_value["published"].is_null());
}

TEST_F(JourneyTest, ACrashMarksTheRunAsFailedAndItGoesOn) {
    const std::string train = "train tiny.json --run run --device cpu --log-every 1 --save-every 1";
    const auto crashed = interrupted(train + " --set train.epochs=500", folder_ / "run/metrics.jsonl",
                                     SIGSEGV, "ulimit -c 0; ");
    EXPECT_THAT(crashed.err, HasSubstr("stl: crashed (segmentation fault): version "));
    EXPECT_THAT(crashed.err, HasSubstr("running 'stl train tiny.json"));
    EXPECT_EQ(read_json(folder_ / "run/run.json")["state"], "failed");
    const auto second =
        interrupted(train + " --set train.epochs=500 --resume", folder_ / "run/metrics.jsonl");
    EXPECT_EQ(second.status, 130) << second.err;
}

TEST_F(JourneyTest, CtrlCSavesAndTheRunGoesOn) {
    const std::string train = "train tiny.json --run run --device cpu --log-every 1 --set train.epochs=500";
    const auto first = interrupted(train, folder_ / "run/metrics.jsonl");
    EXPECT_EQ(first.status, 130) << first.err;
    EXPECT_THAT(first.err, HasSubstr("continue with: stl " + train + " --resume\n"));
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
    const std::string train =
        "train tiny.json --run run/ --device cpu --seeds 2 --set train.steps=2 --log-every 1";
    good(train);
    const auto first_line = [&](const std::string& run) {
        const auto lines = read_text(folder_ / run / "metrics.jsonl");
        return parse_json(lines.substr(0, lines.find('\n')), run);
    };
    EXPECT_NE(first_line("run-seed1")["loss"], first_line("run-seed2")["loss"]);
    EXPECT_EQ(parse_json(read_text(folder_ / "run-seed2/experiment.json"), "")["train"]["seed"], 2);
    EXPECT_EQ(stl(train).status, 1) << "both are there already";
    fs::remove_all(folder_ / "run-seed2");
    const auto unfinished = "train tiny.json --run 'run three' --device cpu --max-minutes 0.000001";
    EXPECT_THAT(stl(unfinished).err, HasSubstr("'run three'"));
    const auto record = stl("evaluate 'run three' --record --results results --json");
    EXPECT_EQ(record.status, 1);
    EXPECT_THAT(record.err, HasSubstr("its training is not finished"));
    EXPECT_EQ(record.out, "") << "before the evaluation";
    good(train + " --resume");
    EXPECT_TRUE(fs::exists(folder_ / "run-seed2/checkpoints/last.pth"));
    good("train tiny.json --run many --device cpu --seeds 2 --max-minutes 0.000001");
    EXPECT_FALSE(fs::exists(folder_ / "many-seed2")) << "the time is that of all";
}

TEST_F(JourneyTest, WrongCommandsAreRefusedInOneLine) {
    refused("tarin tiny.json", 2, "unknown subcommand 'tarin' (did you mean 'train'?)");
    refused("train tiny.json --sett a=b", 2, "unknown option '--sett' (did you mean '--set'?)");
    refused("--verson", 2, "unknown option '--verson' (did you mean '--version'?)");
    refused("train tiny.json --set train.lr=1 train.seed=2", 2, "repeat it: --set train.seed=2");
    refused("train tiny.json --threads 4096", 1, "threads: 4096, expected at most");
    refused("train tiny.json --run ''", 2, "--run: empty");
    refused("train tiny.json --max-minutes 0", 2, "--max-minutes: 0, expected a number over 0\n");
    refused("train tiny.json --save-every -1", 2, "--save-every: -1, expected 0 or");
    refused("train tiny.json --run big --set train.batch_size=1000000 --set dataset.train_sequences=1000000",
            1, "of memory");
    refused(
        "train tiny.json --run big --set dataset.canvas=8192 --set dataset.train_sequences=64"
        " --set train.batch_size=64",
        1, "of memory");
    refused("train tiny.json --run big --set dataset.val_sequences=10000000000", 1,
            "--set dataset.val_sequences=10000000000: ");
    refused("info tiny.json --weights best", 2, "--weights");
    refused("info tiny.json --set model.hid_T=65536 --set model.N_T=1024 --set model.mlp_ratio=64", 1,
            "out of memory\n");
    refused("bench --translator nope --work metrics", 1, "'nope'");
    refused("train tiny.json --set train.lr", 2, "KEY=VALUE");
    refused("train none.json", 1, "none.json: no such file");
    refused("train tiny.json --set train.epoch=3", 1, "did you mean 'epochs'?");
    refused("train tiny.json --set model.translator=mogant", 1, "'moganet'");
    refused("train tiny.json --device cuda:9", 1, "cuda:9");
    refused("train tiny.json --device gpu", 1, "expected cpu");
    good("generate mmnist --split test --sequences 1 --output a.h5");
    refused("predict none.pth --input a.h5 --output b.h5", 1, "none.pth");
    refused("predict --input a.h5 --output b.h5", 2, "RUN or CHECKPOINT");
    refused("predict run --input a.h5 --output b.h5 --stream 1", 2, "--stream is for videos");
    refused("predict run --input a.mp4 --output b.h5 --layout NTCHW", 2, "--layout is for sequence files");
    refused("generate mmnist --sequences 1 --output a.npy --compress 1", 2,
            "--compression applies only to .h5");
    good("generate mmnist --split test --sequences 1 --output s.h5 --seed 18446744073709551615");
    for (const std::string beyond : {"18446744073709551616", "99999999999999999999"})
        refused("generate mmnist --output b.h5 --seed " + beyond, 2, "--seed: " + beyond + " is too large");
    refused("generate mmnist --output b.h5 --seed=-1", 2, "--seed: -1, expected 0 or a number over it");
    refused("render a.h5 --output a.png --channel 1", 1, "--channel 1 of frames with 1 channel");
    refused("render a.h5 --output a.png --index 0 --sequences 1", 2, "--sequences excludes --index");
    refused("metrics a.h5 a.h5 --mean nan --std 1", 2, "--mean: nan, expected a number");
    refused("metrics a.h5 a.h5 --mean 0 --std 0", 2, "--std: 0, expected a number over 0");
    refused("report --output a.pdf", 1, "a.pdf: expected a name with .md, .html, .csv or .json");
    refused("predict tiny.json --weights best --input a.h5 --output b.h5", 1,
            "is one checkpoint; weights 'best' are a run's");
    refused("bench --work fast", 2, "--work: fast not in");
    refused("report --results none", 1, "--results none: no such folder");
    refused("evaluate none", 1, "none");
    write_text(folder_ / "empty.h5", "");
    refused("render empty.h5 --output a.gif", 1, "empty.h5");
    write_text(folder_ / "run/notes.txt", "mine");
    refused("train tiny.json --run run --device cpu", 1, "run: exists already");
    EXPECT_EQ(read_text(folder_ / "run/notes.txt"), "mine");
    refused("generate mmnist --sequences 2 --output run/notes.txt", 1, "notes.txt");
    EXPECT_EQ(read_text(folder_ / "run/notes.txt"), "mine");
}

TEST_F(JourneyTest, MessagesShowAWayOut) {
    refused("train tiny.json --epochs 3", 2, "unknown option '--epochs' (give it as --set train.epochs=3)");
    refused("train tiny.json --lr=0.1", 2, "(give it as --set train.lr=0.1)");
    refused("train tiny.json --batch --force", 2, "(give it as --set train.batch_size=VALUE)");
    refused("evaluate run --length 3", 2, "unknown option '--length' (stl import has it)");
    refused("list --pathology", 2, "unknown option '--pathology' (--help lists them)");
    refused("train tiny.json --set lr=0.1", 1, "--set lr=0.1: unknown key 'lr' (did you mean 'train.lr'?)");
    refused("train tiny.json --threads two", 2, "--threads: 'two', expected a number from 0 to 4096");
    refused("train tiny.json --save-every 1.5", 2, "--save-every: '1.5', expected a whole number");
    refused("train tiny.json --set train.lr=fast", 1, "train.lr");

    good("generate mmnist --split test --sequences 6 --out a.h5");
    good("generate mmnist --split test --sequences 1 -o b.h5");
    refused("train a.h5", 1, "a.h5: not an experiment file; it is a file of arrays");
    refused("evaluate b.h5", 1, "it is a file of arrays");
    refused("evaluate tiny.json", 1, "it is a JSON file: stl train and info take an experiment");
    write_text(folder_ / "file.json", R"({
        "dataset": {"name": "file", "path": "a.h5", "train_sequences": 4},
        "model": {"translator": "gsta", "hid_S": 2, "hid_T": 8, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
        "train": {"steps": 1, "batch_size": 1, "threads": 1}})");
    good("train file.json --run run --device cpu");
    refused("train run", 1, "run: not an experiment file; it is a run, which stl evaluate");
    refused("train run/checkpoints/last.pth", 1, "it is a checkpoint, which stl evaluate");
    refused("inspect run", 1, "it is a run, which stl evaluate");
    refused("inspect run/checkpoints/last.pth", 1, "it is a checkpoint, which stl evaluate");
    refused("metrics run/checkpoints/last.pth a.h5", 1, "it is a checkpoint, which stl evaluate");
    refused("train file.json --run run --device cpu --resume --set train.lr=0.5", 1,
            "train.lr is not what the run was started with (0.001, now 0.5)");
    refused("train file.json --run run --device cpu --resume --set train.lr=0.5", 1, "--set train.init=run");
    good("evaluate run/checkpoints/last.pth --data a.h5 --model run/experiment.json");
    // A run finds its data from any folder.
    fs::create_directories(folder_ / "elsewhere");
    const auto command = fmt::format("cd '{}' && '{}' evaluate ../run >/dev/null 2>.err",
                                     (folder_ / "elsewhere").string(), STL_PROGRAM);
    EXPECT_EQ(std::system(command.c_str()), 0) << read_text(folder_ / "elsewhere/.err");
    good("train file.json --run run --device cpu --resume");
}

TEST_F(JourneyTest, AloneTheProgramShowsWhereToBegin) {
    const auto shown = good("");
    for (const auto* what : {"Subcommands", "  train ", "First commands", "stl import clips/", "stl train "})
        EXPECT_THAT(shown.out, HasSubstr(what));
}

TEST_F(JourneyTest, OnlyNetworksAreConverted) {
    const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    write_text(folder_ / "a.safetensors", std::string(1, static_cast<char>(header.size())) +
                                              std::string(7, '\0') + header + std::string(8, '\0'));
    const auto outcome = stl("convert a.safetensors b.pth");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_TRUE(is_one_line(outcome.err)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("a.safetensors: not the weights of a SimVP"));
    EXPECT_FALSE(fs::exists(folder_ / "b.pth"));
}

TEST_F(JourneyTest, TheCommandIsRecordedAsAShellTakesIt) {
    good("train tiny.json --run 'my run' --device cpu --threads 1 --max-minutes 5");
    EXPECT_EQ(parse_json(read_text(folder_ / "my run/run.json"), "")["command"],
              "stl train tiny.json --run 'my run' --device cpu --threads 1 --max-minutes 5");
}

TEST_F(JourneyTest, OutputThatCannotBeWrittenIsAnError) {
    const auto written_to = [&](const std::string& arguments, const std::string& where) {
        const auto command =
            fmt::format("cd '{}' && '{}' {} {} 2>.err", folder_.string(), STL_PROGRAM, arguments, where);
        const int status = std::system(command.c_str());
        return std::pair(WEXITSTATUS(status), read_text(folder_ / ".err"));
    };
    for (const std::string arguments : {"list", "list --json", "--help"}) {
        for (const std::string where : {">/dev/full", ">&-"}) {
            const auto [status, error] = written_to(arguments, where);
            EXPECT_EQ(status, 1) << arguments << where;
            EXPECT_TRUE(is_one_line(error)) << error;
            EXPECT_THAT(error, HasSubstr("standard output: cannot be written"));
        }
    }
    EXPECT_EQ(written_to("list", "| head -n 1 >/dev/null").second, "");
}

TEST_F(JourneyTest, FramesWithoutNumbersAreToldOf) {
    // One sequence of two 8x8 frames, whose first value is NaN.
    std::vector<float> values(128, 0.5F);
    write_text(folder_ / "truth.npy", npy("(1, 2, 1, 8, 8)", values));
    values[0] = std::numeric_limits<float>::quiet_NaN();
    write_text(folder_ / "nan.npy", npy("(1, 2, 1, 8, 8)", values));
    const auto outcome = good("metrics nan.npy truth.npy --json");
    EXPECT_EQ(outcome.err, "warning: 1 of 2 frames holds NaN; metrics over them are null in JSON\n");
    EXPECT_TRUE(parse_json(outcome.out, "")["psnr"].is_null());
}

TEST_F(JourneyTest, RenderShowsWhatEvaluateMeasures) {
    // Of the run's own test set the same pictures, title and rate as of its file.
    const auto expect_shown = [&](const std::string& run, const std::string& dataset,
                                  const std::string& data) {
        write_text(folder_ / "own.json", fmt::format(R"({{
            "dataset": {{{}, "input_frames": 3, "output_frames": 3}},
            "model": {{"translator": "gsta", "hid_S": 2, "hid_T": 8, "N_S": 2, "N_T": 2, "mlp_ratio": 2}},
            "train": {{"steps": 1, "batch_size": 1, "threads": 1}}}})",
                                                     dataset));
        good("train own.json --device cpu --run " + run);
        EXPECT_EQ(json("evaluate " + run + " --json")["mse"],
                  json("evaluate " + run + " --json " + data)["mse"]);
        good("render " + run + " --output own.gif --force");
        good("render " + run + " --output file.gif --force " + data);
        EXPECT_TRUE(read_text(folder_ / "own.gif") == read_text(folder_ / "file.gif")) << run;
    };
    // A layout of the data set's own.
    write_text(folder_ / "one.npy", npy("(6, 16, 16)", std::vector<float>(1536, 0.5F)));
    expect_shown("layout", R"("name": "file", "path": "one.npy", "layout": "THW")",
                 "--data one.npy --layout THW");
    // Another file for testing.
    good("generate mmnist --canvas 32 --frames 6 --sequences 2 --output first.h5");
    good("generate mmnist --canvas 32 --frames 6 --sequences 2 --seed 1 --output second.h5");
    expect_shown("second", R"("name": "file", "path": "first.h5", "test_path": "second.h5")",
                 "--data second.h5");
    // A file that is found where STL_DATA says.
    const EnvironmentVariable data("STL_DATA", (folder_ / "data").string());
    good("generate mmnist --canvas 128 --frames 6 --sequences 2 --output data/kth/kth.h5");
    expect_shown("kth", R"("name": "kth")", "--data data/kth/kth.h5");
}

TEST_F(JourneyTest, ARecordNamesTheFilesThatItsFiguresComeFrom) {
    const EnvironmentVariable data("STL_DATA", (folder_ / "data").string());
    good("generate mmnist --split test --sequences 2 --output data/mmnist/mnist_test_seq.npy");
    good("train tiny.json --device cpu --run run --set dataset.test_sequences=2");
    const auto recorded_files = [&] {
        good("evaluate run --record --results results --force");
        std::vector<std::string> names;
        const auto record = read_json(folder_ / "results/mmnist/run.json");
        for (const auto& file : record["data_files"]) names.push_back(file["path"]);
        return names;
    };
    const auto published = (folder_ / "data/mmnist/mnist_test_seq.npy").string();
    EXPECT_THAT(recorded_files(), testing::ElementsAre(published));
    fs::remove(published);
    EXPECT_THAT(recorded_files(), testing::ElementsAre(HasSubstr("train-images-idx3-ubyte.gz")));
    // Whatever the file's name is, the report is JSON.
    fs::rename(folder_ / "results/mmnist/run.json", folder_ / "results/mmnist/r\xe4.json");
    const auto report = json("report --results results --dataset mmnist --recorded --format json");
    EXPECT_EQ(report["tables"].size(), 1U);
}

TEST_F(JourneyTest, AReportOfNothingSaysSo) {
    fs::create_directories(folder_ / "results");
    const std::string report = "report --results results --dataset kth --recorded";
    EXPECT_EQ(good(report).out, "No recorded run.\n");
    EXPECT_TRUE(json(report + " --format json")["tables"].empty());
    good(report + " --output report.md");
    EXPECT_EQ(read_text(folder_ / "report.md"), "No recorded run.\n");
}

TEST_F(JourneyTest, ASettingThatIsNoUtf8IsRefused) {
    const auto outcome =
        stl("train tiny.json --device cpu --run run --set train.init=\"$(printf 'a\\377')\"");
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.err, HasSubstr("--set train.init: not UTF-8"));
}

TEST_F(JourneyTest, TheBenchGoesOnAfterANetworkThatCannotBeTimed) {
    // No windows of four divide five rows.
    const auto outcome = stl(
        "bench --device cpu --translator swin,identity --size 20 --frames 1 --warmup 0 --repeats 1 --json");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(Json::parse(outcome.out)["translator"], "identity");
    EXPECT_THAT(outcome.err, HasSubstr("swin: "));
    EXPECT_THAT(outcome.err, HasSubstr("could not be timed: swin"));
}

TEST_F(JourneyTest, ATranslatorIsNamedBesideTheExperiment) {
    good("train tiny.json --translator gSTA --device cpu --set train.steps=1");
    EXPECT_EQ(read_json(folder_ / "runs/mmnist-gsta/experiment.json")["model"]["translator"], "gsta");
    EXPECT_THAT(stl("train tiny.json --translator gtsa").err,
                HasSubstr("--translator: unknown translator 'gtsa'"));
}

TEST_F(JourneyTest, ListsEveryKeyWithItsDefault) {
    const auto keys = json("list --json")["keys"];
    for (const auto* object : {"dataset", "model", "train"}) EXPECT_FALSE(keys[object].empty()) << object;
    EXPECT_EQ(keys["train"][0]["name"], "epochs");
    EXPECT_EQ(keys["train"][0]["default"], 200);
    EXPECT_THAT(good("list").out, HasSubstr("canvas 64"));
    EXPECT_THAT(good("list").out, HasSubstr("largest global norm of the gradients"));
}

TEST_F(JourneyTest, HelpAndVersion) {
    EXPECT_THAT(good("--help").out, HasSubstr("train"));
    EXPECT_THAT(good("train --help").out, HasSubstr("--max-minutes"));
    EXPECT_THAT(good("--version").out, HasSubstr("stl 0."));
}

/// Every option has a line that describes it, and but for --help a heading of its own kind.
TEST_F(JourneyTest, HelpIsInGroups) {
    std::istringstream overview(good("").out);
    int commands = 0, options = 0;
    for (std::string line; std::getline(overview, line) && line != "First commands:";) {
        if (!line.starts_with("  ")) continue;
        ++commands;
        const auto name = line.substr(2, line.find(' ', 2) - 2);
        std::istringstream help(good(name + " --help").out);
        std::string heading;
        for (std::string text; std::getline(help, text) && !text.starts_with("Example");) {
            if (!text.empty() && text[0] != ' ') heading = text;
            const auto first = text.find_first_not_of(' ');
            if (first == std::string::npos || first > 6 || text[first] != '-') continue;
            ++options;
            EXPECT_EQ(heading == "Options:", text.find("--help") != std::string::npos) << name << text;
        }
    }
    EXPECT_EQ(commands, 16);
    EXPECT_GT(options, 100);
}

TEST_F(JourneyTest, TheDoctorTellsWhichInstructionsAreUsed) {
    const auto used = [&] { return json("doctor --json")["devices"][0]["kernels"]; };
    const auto isas = cpu::available_isas();
    {
        const EnvironmentVariable none("ATEN_CPU_CAPABILITY", "default");
        EXPECT_EQ(used(), "plain");
    }
    {
        const EnvironmentVariable some("ATEN_CPU_CAPABILITY", "avx2");
        EXPECT_EQ(used(), isa_name(std::min(isas.back(), cpu::Isa::avx2)));
    }
    const EnvironmentVariable all("ATEN_CPU_CAPABILITY", "avx512");
    EXPECT_EQ(used(), isa_name(isas.back()));
    const auto cpu = json("doctor --json")["devices"][0];
    const auto tiles = cpu::tile_support();
    EXPECT_EQ(cpu["amx"], tiles == cpu::TileSupport::usable    ? "in use"
                          : tiles == cpu::TileSupport::refused ? "refused by the system"
                                                               : "missing");
    EXPECT_GT(cpu["products"]["fp32"].get<double>(), 1e8);
    EXPECT_GT(cpu["core_share"].get<double>(), 0);
    EXPECT_LE(cpu["core_share"].get<double>(), 1);
    EXPECT_EQ(cpu["openmp_waiting"], "GOMP_SPINCOUNT=500");
    EXPECT_EQ(cpu["products"]["bf16"].is_null(), !cpu::multiplies_bfloat16(isas.back()));
    EXPECT_THAT(good("doctor").out, HasSubstr("GFLOP/s in fp32"));
}

TEST_F(JourneyTest, WithoutBfloat16TrainingIsInFp32AndSaysSo) {
    if (cpu::available_isas().back() == cpu::Isa::plain) GTEST_SKIP() << "holds a processor to AVX2";
    const EnvironmentVariable some("ATEN_CPU_CAPABILITY", "avx2");
    EXPECT_THAT(good("doctor").out, HasSubstr("no bfloat16 arithmetic; recommended: fp32"));
    const auto told =
        good("train tiny.json --run run --device cpu --set train.steps=2 --set train.precision=bf16");
    EXPECT_THAT(told.err, HasSubstr("no bfloat16 arithmetic; training in fp32"));
    EXPECT_EQ(read_json(folder_ / "run/run.json")["precision"], "fp32");
    EXPECT_EQ(read_json(folder_ / "run/experiment.json")["train"]["precision"], "bf16");
    for (const auto* work : {"train", "infer", "infer --compare plain"}) {
        const auto refused = stl(fmt::format("bench --work {} --device cpu --precision bf16", work));
        EXPECT_THAT(refused.err, HasSubstr("no bfloat16 arithmetic; stl computes in fp32 instead")) << work;
    }
    good("generate mmnist --split test --sequences 2 --output test.h5");
    const auto plain = good("evaluate run --data test.h5 --device cpu --precision bf16 --path plain");
    EXPECT_THAT(plain.err, HasSubstr("no bfloat16 arithmetic; computed in fp32"));
}

TEST_F(JourneyTest, Tf32OnACpuIsFp32AndSaysSo) {
    const auto told =
        good("train tiny.json --run run --device cpu --set train.steps=2 --set train.precision=tf32");
    EXPECT_THAT(told.err, HasSubstr("TF32 is a format of GPUs; training in fp32 instead"));
    EXPECT_EQ(read_json(folder_ / "run/run.json")["precision"], "fp32");
    good("generate mmnist --split test --sequences 2 --output test.h5");
    for (const auto* path : {"plain", "fast"}) {
        const auto found = stl(
            fmt::format("evaluate run --data test.h5 --device cpu --precision tf32 --path {} --json", path));
        EXPECT_EQ(Json::parse(found.out)["precision"], "fp32");
        EXPECT_THAT(found.err, HasSubstr("TF32 is a format of GPUs; computed in fp32"));
    }
    EXPECT_THAT(
        stl("bench --device cpu --precision tf32").err,
        HasSubstr("infer: TF32 is a format of GPUs; stl computes in fp32 instead (--precision fp32)"));
}

}  // namespace
}  // namespace stl
