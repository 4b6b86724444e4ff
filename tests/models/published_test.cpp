// The published columns of parameters and multiply-adds against ours, for the benchmark's experiment files.
// Every difference has a name here; the test fails when one appears or disappears.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "stl/core/error.h"
#include "stl/data/registry.h"
#include "stl/models/complexity.h"
#include "stl/models/registry.h"
#include "stl/run/experiment.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

LayerCost benchmark_cost(const std::string& data_set, const std::string& translator) {
    const auto file = STL_SOURCE_DIR "/experiments/" + data_set + "/" + translator + ".json";
    const auto experiment = load_experiment(file);
    const SimVP model(experiment.model_for(dataset_shape(experiment.dataset)), Weights::unset);
    return model_cost(*model);
}

/// With how many decimals a figure was printed: 2, 1, or none for large whole numbers.
int decimals_of(double published) {
    const auto whole = [](double value) { return std::abs(value - std::round(value)) < 1e-6; };
    if (!whole(published * 10)) return 2;
    return whole(published) && published >= 100 ? 0 : 1;
}

/// "57.95, published 58.0" where the count does not round to what was published; else empty.
std::string difference(double count, double published) {
    const int decimals = decimals_of(published);
    const double unit = std::pow(10.0, -decimals);
    if (std::abs(std::round(count / unit) * unit - published) < unit / 2) return "";
    return fmt::format("{:.{}f}, published {:.{}f}", count, decimals + 1, published, decimals);
}

TEST(Published, ColumnsDifferOnlyWhereKnown) {
    const auto published = read_json(STL_SOURCE_DIR "/experiments/published.json");
    std::map<std::string, std::string> differences;
    std::map<std::string, int> tables;  // of each translator
    for (const auto& [data_set, lengths] : published.items()) {
        if (data_set == "_about") continue;
        std::map<std::string, LayerCost> costs;
        for (const auto& [epochs, table] : lengths.items()) {
            for (const auto& [translator, row] : table.items()) {
                ++tables[translator];
                if (!costs.contains(translator)) costs[translator] = benchmark_cost(data_set, translator);
                const auto& cost = costs[translator];
                const auto key = data_set + "/" + epochs + "/" + translator + " ";
                const auto parameters =
                    difference(static_cast<double>(cost.parameters) / 1e6, row.at("params_M").get<double>());
                const auto macs =
                    difference(static_cast<double>(cost.macs) / 1e9, row.at("flops_G").get<double>());
                if (!parameters.empty()) differences[key + "parameters (M)"] = parameters;
                if (!macs.empty()) differences[key + "multiply-adds (G)"] = macs;
            }
        }
    }
    const auto peers = test::peer_translators();
    EXPECT_FALSE(tables.empty());
    for (const auto& [translator, count] : tables) {
        EXPECT_EQ(count, 8) << translator;
        EXPECT_TRUE(peers.contains(translator)) << translator;
    }
    const std::map<std::string, std::string> known{
        // Published of other configurations than the benchmark's own.
        {"human/50/uniformer multiply-adds (G)", "288.0, published 211"},
        {"human/50/uniformer parameters (M)", "38.23, published 27.7"},
        {"human/50/vit multiply-adds (G)", "142.2, published 239"},
        {"human/50/vit parameters (M)", "11.00, published 28.3"},
        {"kitticaltech/100/tau multiply-adds (G)", "92.54, published 80.0"},
        {"kitticaltech/100/tau parameters (M)", "14.96, published 44.7"},
        {"kth/100/incepu multiply-adds (G)", "48.26, published 62.8"},
        {"kth/100/incepu parameters (M)", "8.60, published 12.2"},
        // Published with Moving MNIST's figures, which are those of one channel instead of three.
        {"mmnist_cifar/200/convnext multiply-adds (G)", "14.18, published 14.1"},
        {"mmnist_cifar/200/gsta multiply-adds (G)", "16.58, published 16.5"},
        {"mmnist_cifar/200/incepu multiply-adds (G)", "19.48, published 19.4"},
        {"mmnist_cifar/200/moganet multiply-adds (G)", "16.58, published 16.5"},
        {"mmnist_cifar/200/swin multiply-adds (G)", "16.46, published 16.4"},
        {"mmnist_cifar/200/vit multiply-adds (G)", "16.98, published 16.9"},
        // The last digit: rounded up from 57.947, or cut off instead of rounded.
        {"mfmnist/200/incepu parameters (M)", "57.95, published 58.0"},
        {"mmnist/200/incepu parameters (M)", "57.95, published 58.0"},
        {"mmnist/2000/incepu parameters (M)", "57.95, published 58.0"},
        {"mmnist_cifar/200/incepu parameters (M)", "57.95, published 58.0"},
        {"human/50/convmixer multiply-adds (G)", "39.45, published 39.4"},
        {"human/50/gsta multiply-adds (G)", "74.70, published 74.6"},
        {"kth/100/convnext multiply-adds (G)", "63.95, published 63.9"},
        {"kth/100/moganet multiply-adds (G)", "76.78, published 76.7"},
        {"kth/100/uniformer multiply-adds (G)", "78.36, published 78.3"},
        {"taxibj/50/uniformer parameters (M)", "9.525, published 9.52"},
    };
    EXPECT_EQ(differences, known);
}

}  // namespace
}  // namespace stl
