// Gradients averaged over ranks against those of the whole batch in one process.
#include <gtest/gtest.h>

#include "stl/distributed/gradient_average.h"
#include "stl/distributed/sync_batch_norm.h"
#include "stl/models/layers/layer.h"
#include "stl/train/step.h"
#include "tests/in_ranks/group.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

constexpr std::int64_t sequences = 4;

SimVP model_of(const std::string& translator) {
    torch::manual_seed(7);
    SimVPOptions options;
    options.translator = translator;
    options.frames = 4;
    options.height = options.width = 32;
    options.hid_S = 4;
    options.hid_T = 16;
    options.N_S = options.N_T = 2;
    options.mlp_ratio = 2;
    options.drop_path_first = 0;
    SimVP model(options);
    model->train();
    return model;
}

TrainBatch whole_batch() {
    torch::manual_seed(3);
    return {torch::rand({sequences, 4, 1, 32, 32}), torch::rand({sequences, 4, 1, 32, 32})};
}

TrainBatch own_part(const TrainBatch& whole) {
    const auto size = sequences / ranks().size();
    return {whole.input.narrow(0, ranks().rank() * size, size),
            whole.target.narrow(0, ranks().rank() * size, size)};
}

/// The largest difference between the two models' gradients, relative to the largest gradient of each parameter.
double difference(const SimVP& a, const SimVP& b) {
    const auto of_a = a->named_parameters(), of_b = b->named_parameters();
    double most = 0;
    for (std::size_t i = 0; i < of_a.size(); ++i) {
        const auto &x = of_a[i].value().grad(), &y = of_b[i].value().grad();
        EXPECT_EQ(x.defined(), y.defined()) << of_a[i].key();
        if (!x.defined() || !y.defined()) continue;
        const auto scale = std::max(1e-3, y.abs().max().item<double>());
        most = std::max(most, (x - y).abs().max().item<double>() / scale);
    }
    return most;
}

bool has_batch_norm(const SimVP& model) {
    for (const auto& buffer : model->named_buffers()) {
        if (buffer.key().ends_with("running_mean")) return true;
    }
    return false;
}

class Gradients : public testing::TestWithParam<std::string> {};

TEST_P(Gradients, EqualTheWholeBatchs) {
    constexpr double tolerance = 1e-5;  // of the largest gradient
    const auto whole = whole_batch();
    auto one = model_of(GetParam()), many = model_of(GetParam());
    if (has_batch_norm(many)) set_operations(*many, with_sync_batch_norm(ranks(), /*fast=*/true));
    GradientAverage average(ranks(), many->parameters());
    const TrainOptions options;
    const auto loss = add_gradients(one, whole, options);
    const auto own = add_gradients(many, own_part(whole), options, nullptr, &average);
    EXPECT_NEAR(ranks().mean(own.item<double>()), loss.item<double>(), 1e-6);
    EXPECT_LT(difference(many, one), tolerance);
    // Statistics, too.
    const auto of_one = one->named_buffers(), of_many = many->named_buffers();
    for (std::size_t i = 0; i < of_one.size(); ++i) {
        EXPECT_TRUE(torch::allclose(of_many[i].value().to(torch::kFloat64),
                                    of_one[i].value().to(torch::kFloat64), 1e-5, 1e-6))
            << of_one[i].key();
    }
}

INSTANTIATE_TEST_SUITE_P(Translators, Gradients, testing::ValuesIn(test::translator_names()),
                         [](const auto& info) { return info.param; });

TEST(Accumulation, OfEachRanksPartEqualsTheWholeBatchs) {
    const auto whole = whole_batch();
    auto one = model_of("convnext"), many = model_of("convnext");
    GradientAverage average(ranks(), many->parameters());
    TrainOptions options, in_parts;
    in_parts.accumulate = sequences / ranks().size();
    add_gradients(one, whole, options);
    // A second step, too: what the first one left must not count.
    for (int step = 0; step < 2; ++step) {
        for (auto& parameter : many->parameters()) parameter.mutable_grad().reset();
        add_gradients(many, own_part(whole), in_parts, nullptr, &average);
        EXPECT_LT(difference(many, one), 1e-5);
    }
}

}  // namespace
}  // namespace stl
