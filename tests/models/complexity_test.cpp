// Parameters and multiply-adds against fvcore's counts of the reference, and against the published columns.

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "stl/models/complexity.h"
#include "stl/models/registry.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

const Json& counts() {
    static const Json json = read_json(STL_TEST_DATA "/complexity.json");
    return json;
}

std::vector<std::string> data_sets() {
    std::vector<std::string> names;
    for (const auto& [name, value] : counts().items()) {
        if (name != "_about") names.push_back(name);
    }
    return names;
}

SimVPOptions options_of(const Json& entry, const std::string& where) {
    const auto& config = entry.at("config");
    Json model{{"translator", entry.at("model_type")},
               {"in_shape", entry.at("in_shape")},
               {"mlp_ratio", entry.at("mlp_ratio")}};
    for (const auto* key :
         {"hid_S", "hid_T", "N_S", "N_T", "drop_path", "drop", "spatio_kernel_enc", "spatio_kernel_dec"}) {
        if (config.contains(key)) model[key] = config.at(key);
    }
    return SimVPOptions::from_json(model, where);
}

std::int64_t buffer_elements(const torch::nn::Module& model) {
    std::int64_t count = 0;
    for (const auto& buffer : model.buffers()) count += buffer.numel();
    return count;
}

void expect_operations(const LayerCost& cost, const Json& expected) {
    EXPECT_EQ(cost.macs, expected.at("total").get<std::int64_t>());
    const auto ours = macs_by_operation(cost);
    std::map<std::string, std::int64_t> theirs;
    for (const auto& [operation, macs] : expected.at("by_operator").items()) theirs[operation] = macs;
    EXPECT_EQ(ours, theirs);
}

void expect_modules(const LayerCost& cost, const Json& expected) {
    std::map<std::string, std::int64_t> ours;
    for (const auto& row : layer_rows(cost, 3)) ours[row.path] = row.cost->macs;
    for (const auto& [path, macs] : expected.items()) {
        ASSERT_TRUE(ours.contains(path)) << path;
        EXPECT_EQ(ours[path], macs.get<std::int64_t>()) << path;
    }
}

class Complexity : public testing::TestWithParam<std::string> {};

TEST_P(Complexity, EqualsFvcoreToTheLastDigit) {
    const auto& models = counts().at(GetParam());
    ASSERT_GE(models.size(), 1u);
    for (const auto& [name, entry] : models.items()) {
        SCOPED_TRACE(name);
        const SimVP model(options_of(entry, name), Weights::unset);
        const auto cost = model_cost(*model);
        EXPECT_EQ(cost.parameters, entry.at("params").get<std::int64_t>());
        EXPECT_EQ(buffer_elements(*model), entry.at("buffer_elements").get<std::int64_t>());
        EXPECT_EQ(model->parameters().size() + model->buffers().size(),
                  entry.at("state_dict_entries").get<std::size_t>());
        expect_operations(cost, entry.at("train"));
        expect_modules(cost, entry.at("by_module_depth2"));
        if (entry.contains("eval")) {
            expect_operations(model_cost(*model, Counting::evaluation), entry.at("eval"));
        }
        if (entry.contains("by_child_params")) {
            for (const auto& child : cost.children) {
                EXPECT_EQ(child.parameters, entry.at("by_child_params").at(child.name).get<std::int64_t>());
            }
        }
    }
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
    std::string name = info.param;
    for (auto& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(DataSets, Complexity, testing::ValuesIn(data_sets()), test_name);

TEST(Complexity, CoversEveryTranslatorOfTheReferenceOnMovingMnist) {
    std::set<std::string> counted;
    for (const auto& [name, entry] : counts().at("mmnist").items()) {
        counted.insert(find_translator(entry.at("model_type").get<std::string>(), name).name);
    }
    EXPECT_EQ(counted, test::peer_translators());
}

}  // namespace
}  // namespace stl
