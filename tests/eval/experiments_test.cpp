// Every experiment file of the benchmark against the reference's configurations and costs.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "stl/core/error.h"
#include "stl/data/registry.h"
#include "stl/eval/published.h"
#include "stl/models/complexity.h"
#include "stl/models/registry.h"
#include "stl/run/experiment.h"
#include "tests/support/small_run.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

const fs::path experiments = STL_SOURCE_DIR "/experiments";

const Json& reference(const char* file) {
    static std::map<std::string, Json> files;
    const auto [it, fresh] = files.try_emplace(file);
    if (fresh) it->second = read_json(fs::path(STL_TEST_DATA) / file);
    return it->second;
}

std::vector<std::string> translators_of(const Json& rows) {
    std::vector<std::string> names;
    for (const auto& [name, row] : rows.items()) {
        if (!name.starts_with("_")) names.push_back(name);
    }
    return names;
}

SequenceShape shape_of(const Json& data) {
    const auto& s = data["in_shape"];
    return {data["total_length"], s[1], s[2], s[3]};
}

/// Of the benchmark: the translator's own file, or the file that all share.
Experiment benchmark_experiment(const std::string& dataset, const std::string& translator) {
    const auto own = experiments / dataset / (translator + ".json");
    if (fs::exists(own)) return load_experiment(own);
    return load_experiment(experiments / dataset / "base.json", {{"model.translator", translator}});
}

class BenchmarkSet : public ::testing::TestWithParam<std::string> {};

TEST_P(BenchmarkSet, AreTheReferences) {
    const auto& rows = reference("benchmark_configs.json")[GetParam()];
    const auto names = translators_of(rows);
    const auto published = Published::read(experiments / "published.json");
    EXPECT_GE(names.size(), published.translators(GetParam(), published.epochs(GetParam()).front()).size());
    const auto& data = rows["_data"];
    for (const auto& name : names) {
        SCOPED_TRACE(name);
        const auto& row = rows[name];
        const auto experiment = benchmark_experiment(GetParam(), name);
        const auto& train = experiment.train;
        EXPECT_EQ(experiment.dataset.name, GetParam());
        EXPECT_EQ(experiment.dataset.input_frames, data["pre_seq_length"]);
        EXPECT_EQ(experiment.dataset.output_frames, data["aft_seq_length"]);
        EXPECT_EQ(train.batch_size, row["batch_size"]);
        EXPECT_EQ(train.optimizer.name, "adam");
        EXPECT_EQ(train.optimizer.lr, row.value("lr", 1e-3));
        EXPECT_EQ(train.schedule.name, row.value("sched", "onecycle"));
        EXPECT_EQ(train.alpha, row.value("alpha", 0.0));
        EXPECT_EQ(train.schedule.warmup_epoch, row.value("warmup_epoch", 0));
        EXPECT_EQ(train.schedule.final_div_factor, 1e4);
        EXPECT_FALSE(train.steps.has_value());
        EXPECT_EQ(dataset_shape(experiment.dataset), shape_of(data));
        const auto model = experiment.model_for(shape_of(data));
        EXPECT_EQ(model.translator, name);
        EXPECT_EQ(model.hid_S, row["hid_S"]);
        EXPECT_EQ(model.hid_T, row["hid_T"]);
        EXPECT_EQ(model.N_S, row["N_S"]);
        EXPECT_EQ(model.N_T, row["N_T"]);
        EXPECT_EQ(model.mlp_ratio, 8.0);
        if (row.contains("drop_path")) {
            EXPECT_EQ(model.drop_path, row["drop_path"]);
        }
    }
}

LayerCost cost_of(const std::string& dataset, const std::string& translator) {
    const auto shape = shape_of(reference("benchmark_configs.json")[dataset]["_data"]);
    return model_cost(SimVPImpl(benchmark_experiment(dataset, translator).model_for(shape), Weights::unset));
}

TEST(BenchmarkExperiments, CostWhatTheReferencesModelsCost) {
    std::size_t compared = 0;
    for (const char* dataset : {"mmnist", "mfmnist", "taxibj", "kth"}) {
        const auto& costs =
            reference("complexity.json")[std::string(dataset) == "mfmnist" ? "mmnist" : dataset];
        for (const auto& [name, entry] : costs.items()) {
            SCOPED_TRACE(std::string(dataset) + " " + name);
            const auto cost =
                cost_of(dataset, find_translator(entry["model_type"].get<std::string>(), name).name);
            EXPECT_EQ(cost.parameters, entry["params"].get<std::int64_t>());
            EXPECT_EQ(cost.macs, entry["train"]["total"].get<std::int64_t>());
            ++compared;
        }
    }
    EXPECT_EQ(compared, 4 * test::peer_translators().size());
}

TEST_P(BenchmarkSet, HaveThePublishedLength) {
    const auto published = Published::read(experiments / "published.json");
    const auto lengths = published.epochs(GetParam());
    for (const auto& name : published.translators(GetParam(), lengths.front())) {
        const auto epochs = benchmark_experiment(GetParam(), name).train.epochs;
        EXPECT_TRUE(std::ranges::count(lengths, epochs)) << name << " " << epochs;
        EXPECT_TRUE(published.row(GetParam(), epochs, name).is_object()) << name;
    }
}

INSTANTIATE_TEST_SUITE_P(DataSets, BenchmarkSet,
                         ::testing::Values("mmnist", "mfmnist", "mmnist_cifar", "taxibj", "kth", "human",
                                           "kitticaltech"));

TEST(ExperimentFiles, EveryOneLoads) {
    int loaded = 0;
    for (const auto& entry : fs::recursive_directory_iterator(experiments)) {
        const auto& path = entry.path();
        const bool experiment = path.extension() == ".json" && path.parent_path() != experiments &&
                                path.string().find("/results/") == std::string::npos &&
                                path.filename() != "base.json";
        if (!experiment) continue;
        EXPECT_NO_THROW(load_experiment(path)) << path;
        ++loaded;
    }
    EXPECT_GE(loaded, 91);
}

/// As a run's folder has it.
Json resolved(const fs::path& file, const SequenceShape& shape, const std::vector<Setting>& settings = {}) {
    const auto e = load_experiment(file, settings);
    return {{"dataset", e.dataset.to_json()},
            {"model", e.model_for(shape).to_json()},
            {"train", write_options(e.train)}};
}

TEST(PublishedRow, BelongsToTheBenchmarksExperimentsAlone) {
    const auto file = experiments / "mmnist/moganet.json";
    const SequenceShape shape{20, 1, 64, 64};
    const auto row = published_row(resolved(file, shape), experiments);
    ASSERT_TRUE(row.is_object());
    EXPECT_EQ(row["mse"], 25.57);
    EXPECT_EQ(row["epochs"], 200);
    EXPECT_EQ(published_row(resolved(file, shape, {{"train.epochs", 2000}}), experiments)["mse"], 15.67);
    EXPECT_EQ(published_row(resolved(file, shape, {{"train.lr", 0.01}}), experiments)["mse"], 25.57);
    for (const Setting& change :
         {Setting{"train.epochs", 100}, Setting{"train.steps", 10}, Setting{"model.hid_T", 256},
          Setting{"model.mlp_ratio", 4}, Setting{"dataset.train_sequences", 100},
          Setting{"dataset.output_frames", 5}}) {
        EXPECT_TRUE(published_row(resolved(file, shape, {change}), experiments).is_null()) << change.key;
    }
    EXPECT_TRUE(published_row(nullptr, experiments).is_null());
    // Where a set lies; other glyphs are another set.
    const auto colour = [&](const char* key) {
        return published_row(
            resolved(experiments / "mmnist_cifar/moganet.json", {20, 3, 64, 64}, {{key, "elsewhere"}}),
            experiments);
    };
    EXPECT_TRUE(colour("dataset.backgrounds").is_object());
    EXPECT_TRUE(colour("dataset.test_path").is_object());
    EXPECT_TRUE(colour("dataset.glyphs").is_null());
}

TEST(Published, RefusesWhatIsNoTable) {
    const testing::TemporaryFolder folder;
    write_text(folder / "p.json", R"({"mmnist": {"200": {"moganet": {"mse": "low"}}}})");
    EXPECT_NE(testing::error_of([&] { Published::read(folder / "p.json"); }).find("p.json: mmnist.200"),
              std::string::npos);
    write_text(folder / "q.json", R"({"mmnist": {"many": {}}})");
    EXPECT_NE(testing::error_of([&] {
                  Published::read(folder / "q.json");
              }).find("'many' is not a number of epochs"),
              std::string::npos);
}

}  // namespace
}  // namespace stl
