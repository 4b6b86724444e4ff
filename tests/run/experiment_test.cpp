// Experiment files: strict reading, inheritance, overrides.
#include "stl/run/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <set>

#include "stl/core/error.h"
#include "stl/data/registry.h"
#include "stl/models/registry.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class ExperimentTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / fmt::format("stl-experiment-{}", ::getpid());
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    fs::path file(const std::string& name, const std::string& text) const {
        write_text(folder_ / name, text);
        return folder_ / name;
    }
    Experiment load(const std::string& text, const std::vector<std::string>& sets = {}) const {
        std::vector<Setting> settings;
        for (const auto& set : sets) settings.push_back(parse_setting(set));
        return load_experiment(file("a.json", text), settings);
    }

    fs::path folder_;
    const std::string simple_ = R"({"dataset": {"name": "mmnist"}, // the benchmark
        "model": {"translator": "moganet", "hid_S": 8, "hid_T": 32, "N_S": 2, "N_T": 2},
        "train": {"epochs": 3, "lr": 0.01}})";
};

TEST_F(ExperimentTest, ReadsKeysAndDefaults) {
    const auto e = load(simple_);
    EXPECT_EQ(e.train.epochs, 3);
    EXPECT_EQ(e.train.optimizer.lr, 0.01);
    EXPECT_EQ(e.train.schedule.lr, 0.01);
    EXPECT_EQ(e.train.batch_size, 16);
    EXPECT_EQ(e.default_run_name(), "mmnist-moganet");
    EXPECT_EQ(load(simple_, {"model.translator=null"}).default_run_name(), "mmnist-gsta");
    const auto model = e.model_for({20, 1, 32, 48});
    EXPECT_EQ(model.hid_T, 32);
    EXPECT_EQ(model.frames, 10);
    EXPECT_EQ(model.width, 48);
    EXPECT_EQ(model.mlp_ratio, 8.0);
}

/// Another value that the key may have.
Json another(const std::string& key, const Json& value) {
    if (value.is_boolean()) return !value.get<bool>();
    if (value.is_number_integer()) return value.get<std::int64_t>() + 1;
    if (value.is_number()) return value.get<double>() / 2 + 0.125;
    if (value.is_array()) return {0.5, 0.25};
    const std::map<std::string, Json> names{
        {"optimizer", "adamw"}, {"schedule", "cosine"}, {"precision", "bf16"}, {"init", "other.pth"}};
    return names.at(key);
}

TEST_F(ExperimentTest, EveryKeyOfTrainIsReadAndWritten) {
    auto e = load(simple_, {"train.steps=7", "train.init=a.pth", "train.ema=0.5", "train.patience=3",
                            "train.batch_per_device=2", "train.accumulate=2", "train.sync_batchnorm=true"});
    auto changed = write_options(e.train);
    std::set<std::string> written, listed;
    for (auto& [key, value] : changed.items()) {
        value = another(key, value);
        written.insert(key);
    }
    const Json whole = {
        {"dataset", {{"name", "mmnist"}}}, {"model", write_options(e.model)}, {"train", changed}};
    EXPECT_EQ(write_options(load(whole.dump()).train), changed);
    for (const auto& key : list_options<TrainOptions>()) listed.insert(key.name);
    EXPECT_EQ(written, listed);
}

/// The texts between pairs of backticks.
std::vector<std::string> in_backticks(const std::string& text) {
    std::vector<std::string> all;
    for (auto at = text.find('`'); at != text.npos; at = text.find('`', at + 1)) {
        const auto close = text.find('`', at + 1);
        all.push_back(text.substr(at + 1, close - at - 1));
        at = close;
    }
    return all;
}

/// The keys of a section's first table in docs/experiments.md, each with the default beside it; null where that is not
/// one value for each of the row's keys.
std::multimap<std::string, Json> documented(const std::string& section) {
    const auto text = read_text(fs::path(STL_SOURCE_DIR) / "docs/experiments.md");
    auto table = text.substr(text.find("\n## " + section + "\n"));
    table = table.substr(table.find("\n| `"));
    table = table.substr(0, table.find("\n\n"));
    std::multimap<std::string, Json> keys;
    for (auto line = table.find("\n| `"); line != table.npos; line = table.find("\n| `", line + 1)) {
        const auto names_end = table.find(" | ", line), values_end = table.find(" |", names_end + 2);
        auto names = table.substr(line, names_end - line);
        names = names.substr(0, names.find('('));  // which data sets have them
        auto values = table.substr(names_end + 3, values_end - names_end - 3);
        std::ranges::replace(values, '`', '"');
        const auto list = Json::parse("[" + values + "]", nullptr, /*allow_exceptions=*/false);
        std::size_t place = 0;
        for (const auto& name : in_backticks(names)) {
            const bool told = !list.is_discarded() && place < list.size();
            keys.emplace(name, told ? list[place] : Json(nullptr));
            ++place;
        }
    }
    return keys;
}

/// The table has these keys and no others, and their defaults.
void expect_documented(const std::string& section, std::vector<OptionInfo> options,
                       const std::vector<std::string>& others = {}) {
    for (const auto& name : others) options.push_back({name, nullptr, "", ""});
    const auto keys = documented(section);
    std::set<std::string> found, expected;
    for (const auto& [name, value] : keys) found.insert(name);
    for (const auto& option : options) {
        expected.insert(option.name);
        if (option.by_default.is_null() || option.by_default == "") continue;
        const auto row = keys.find(option.name);
        EXPECT_TRUE(row != keys.end() && row->second == option.by_default)
            << section << "." << option.name << " is " << option.by_default;
    }
    EXPECT_EQ(found, expected);
}

TEST_F(ExperimentTest, EveryKeyIsDocumentedWithItsDefault) {
    expect_documented("train", list_options<TrainOptions>());
    expect_documented("model", list_options<SimVPOptions>(), {"translator"});
    auto of_data = list_options<DatasetOptions>();
    for (const auto& set : datasets()) {
        for (const auto& key : set.keys.list()) of_data.push_back(key);
    }
    expect_documented("dataset", of_data, {"name", "mean", "std", "augment"});
}

TEST_F(ExperimentTest, ATranslatorNeedsNoFileOfItsOwn) {
    for (const auto& entry : fs::directory_iterator(STL_SOURCE_DIR "/experiments")) {
        const auto base = entry.path() / "base.json";
        if (!fs::exists(base)) continue;
        for (const auto& member : translators()) {
            const auto e = load_experiment(base, {{"model.translator", member.name, "--translator"}});
            EXPECT_EQ(e.model.translator, member.name);
        }
    }
    EXPECT_THAT(
        [&] {
            load_experiment(file("a.json", simple_), {{"model.translator", "gtsa", "--translator"}});
        },
        ThrowsMessage<Error>("--translator: unknown translator 'gtsa' (did you mean 'gsta'?)"));
}

TEST_F(ExperimentTest, SettingsOverrideAnyKey) {
    const auto e =
        load(simple_, {"train.lr=0.5", "model.hid_T=64", "train.schedule=cosine", "train.shuffle=false"});
    EXPECT_EQ(e.train.optimizer.lr, 0.5);
    EXPECT_EQ(e.model_for({20, 1, 64, 64}).hid_T, 64);
    EXPECT_EQ(e.train.schedule.name, "cosine");
    EXPECT_FALSE(e.train.shuffle);
}

TEST_F(ExperimentTest, PrecisionsAreThoseThatNetworksAreTrainedIn) {
    EXPECT_EQ(load(simple_, {"train.precision=tf32"}).train.precision, Precision::tf32);
    EXPECT_THAT([&] { load(simple_, {"train.precision=fp16"}); },
                ThrowsMessage<Error>(HasSubstr("'fp16' is not known, expected fp32, tf32 or bf16")));
}

TEST_F(ExperimentTest, NullTakesOutWhatTheFileHas) {
    const auto of_file = R"({"dataset": {"name": "file", "path": "a.h5"}, "model": {}, "train": {}})";
    EXPECT_EQ(load(of_file, {"dataset.name=mmnist", "dataset.path=null"}).dataset.name, "mmnist");
    EXPECT_EQ(load(simple_, {"train.epochs=null"}).train.epochs, 200);
    EXPECT_THROW(load(simple_, {"train.epoch=null"}), Error);
}

TEST_F(ExperimentTest, EpochsThatAreAskedForWinOverTheFilesSteps) {
    const auto steps = R"({"dataset": {"name": "mmnist"}, "model": {}, "train": {"epochs": 3, "steps": 9}})";
    EXPECT_EQ(load(steps).train.steps, 9);
    const auto asked = load(steps, {"train.epochs=2"});
    EXPECT_EQ(asked.train.epochs, 2);
    EXPECT_FALSE(asked.train.steps);
    EXPECT_EQ(load(steps, {"train.epochs=2", "train.steps=5"}).train.steps, 5);
}

TEST_F(ExperimentTest, BasesLieUnderneath) {
    file("base.json", simple_);
    const auto e = load(R"({"base": "base.json", "model": {"hid_T": 16}, "train": {"epochs": 7}})");
    EXPECT_EQ(e.train.epochs, 7);
    EXPECT_EQ(e.train.optimizer.lr, 0.01);
    EXPECT_EQ(e.model_for({20, 1, 64, 64}).hid_T, 16);
    EXPECT_EQ(e.model_for({20, 1, 64, 64}).hid_S, 8);
}

TEST_F(ExperimentTest, TrainJsonReadsBackTheSame) {
    const auto e = load(simple_, {"train.steps=12", "train.betas=[0.5,0.6]"});
    Json whole = read_json(folder_ / "a.json");
    whole["train"] = write_options(e.train);
    EXPECT_EQ(write_options(parse_experiment(whole, "again").train), write_options(e.train));
}

TEST_F(ExperimentTest, RefusesWithTheKeyTheFileAndTheNearestName) {
    EXPECT_THAT([&] { load(simple_, {"train.epoch=3"}); },
                ThrowsMessage<Error>("--set train.epoch=3: unknown key (did you mean 'epochs'?)"));
    EXPECT_THAT([&] { load(simple_, {"model.translator=mogant"}); },
                ThrowsMessage<Error>(
                    testing::AllOf(HasSubstr("--set model.translator=mogant: "), HasSubstr("'moganet'"))));
    EXPECT_THAT([&] { load(R"({"dataset": {"name": "mmnist"}, "model": {}, "train": {"lr": "much"}})"); },
                ThrowsMessage<Error>(HasSubstr("a.json: train.lr: \"much\" is not a number")));
    EXPECT_THAT([&] { load(simple_, {"train.batch_size=0"}); },
                ThrowsMessage<Error>(HasSubstr("--set train.batch_size=0: 0 is too small")));
    EXPECT_THAT([&] { load(simple_, {"tarin.lr=1"}); },
                ThrowsMessage<Error>("--set tarin.lr=1: unknown key (did you mean 'train'?)"));
    EXPECT_THAT([&] { load("{"); }, ThrowsMessage<Error>(HasSubstr("a.json: line 1: not valid JSON")));
    EXPECT_THAT([&] { load(R"({"base": "none.json"})"); }, ThrowsMessage<Error>(HasSubstr("does not exist")));
    EXPECT_THAT([&] { load(R"({"base": "a.json"})"); }, ThrowsMessage<Error>(HasSubstr("a cycle?")));
    EXPECT_THAT([&] { load(R"({"train": {"lr": 1, "lr": 2}})"); }, ThrowsMessage<Error>(HasSubstr("twice")));
}

TEST_F(ExperimentTest, ABaseIsARegularFileThatIsNotShownAndNotLarge) {
    EXPECT_THAT([&] { load(R"({"base": "/dev/zero"})"); },
                ThrowsMessage<Error>("/dev/zero: is a device, expected a file"));
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    EXPECT_THAT([&] { load(R"({"base": "pipe"})"); }, ThrowsMessage<Error>(HasSubstr("pipe: is a pipe")));
    file("passwd", "root:x:0:0:root:/root:/bin/bash\n");
    EXPECT_THAT(
        [&] { load(R"({"base": "passwd"})"); },
        ThrowsMessage<Error>(testing::AllOf(HasSubstr("passwd: line 1: not valid JSON"),
                                            testing::Not(HasSubstr("root")), testing::Not(HasSubstr("'r")))));
    file("large.json", "{}" + std::string(1 << 20, ' '));
    EXPECT_THAT([&] { load(R"({"base": "large.json"})"); },
                ThrowsMessage<Error>(HasSubstr("large.json: holds more than 1048576 bytes")));
}

TEST_F(ExperimentTest, ErrorsNameTheFileThatHoldsTheKey) {
    file("deep.json", R"({"train": {"lr": -1, "eps": -1}})");
    file("base.json", R"({"base": "deep.json", "dataset": {"name": "mmnist"}, "model": {"hid_V": 8}})");
    EXPECT_THAT(
        [&] { load(R"({"base": "base.json"})"); },
        ThrowsMessage<Error>((folder_ / "deep.json").string() + ": train.lr: -1 is not a positive number"));
    EXPECT_THAT(
        [&] { load(R"({"base": "base.json", "train": {"lr": -2}})"); },
        ThrowsMessage<Error>((folder_ / "a.json").string() + ": train.lr: -2 is not a positive number"));
    EXPECT_THAT([&] { load(R"({"base": "base.json"})", {"train.lr=1"}); },
                ThrowsMessage<Error>(HasSubstr("deep.json: train.eps: -1")));
    EXPECT_THAT([&] { load(R"({"base": "base.json", "train": {"lr": 1, "eps": 1}})"); },
                ThrowsMessage<Error>(HasSubstr("base.json: model.hid_V: unknown key")));
    EXPECT_THAT([&] { load(simple_, {"train.lr=-1"}); },
                ThrowsMessage<Error>("--set train.lr=-1: -1 is not a positive number"));
    EXPECT_THAT([&] { load(simple_, {R"(train={"lr": -1})"}); },
                ThrowsMessage<Error>(R"(--set train={"lr": -1}: -1 is not a positive number)"));
}

TEST_F(ExperimentTest, AStatedShapeMustBeTheDatas) {
    const auto e = load(simple_, {"model.in_shape=[10,1,64,64]", "model.output_frames=10"});
    EXPECT_EQ(e.model_for({20, 1, 64, 64}).width, 64);
    EXPECT_THAT(
        [&] {
            e.model_for({20, 1, 64, 32});
        },
        ThrowsMessage<Error>(HasSubstr("[10,1,64,64], but the data set's is [10,1,64,32]")));
    EXPECT_THAT([&] { load(simple_, {"model.output_frames=3"}); },
                ThrowsMessage<Error>(HasSubstr("3, but the data set's is 10")));
}

TEST(Setting, NeedsAnEqualsSign) {
    EXPECT_THROW(parse_setting("train.lr"), UsageError);
    EXPECT_THROW(parse_setting("=3"), UsageError);
    EXPECT_EQ(parse_setting("a.b=x=y").value, "x=y");
    EXPECT_EQ(parse_setting("a.b=[1 of.npy").value, "[1 of.npy");
    EXPECT_EQ(parse_setting("a.b=" + std::string(300, '[')).text,
              "--set a.b=" + std::string(196, '[') + "...");
    std::string deep = "a";
    for (int i = 0; i < 50'000; ++i) deep += ".a";
    EXPECT_THROW(parse_setting(deep + "=1"), UsageError);
    EXPECT_THROW(parse_setting("a.b=" + std::string(60'000, '[') + std::string(60'000, ']')), Error);
    EXPECT_THROW(parse_setting(R"(a={"b": 1, "b": 2})"), Error);
    EXPECT_EQ(parse_setting("a.b=1e-3").value, 1e-3);
    EXPECT_EQ(parse_setting("a.b=\xc3\xa4").value, "\xc3\xa4");
    EXPECT_THROW(parse_setting("a.b=\xe4"), UsageError);
    EXPECT_THROW(parse_setting("\xe4=1"), UsageError);
}

}  // namespace
}  // namespace stl
