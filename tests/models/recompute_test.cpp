// Activation checkpointing against the layers that keep what they computed.
#include "stl/models/layers/recompute.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "stl/models/simvp.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

using torch::Tensor;

TEST(Recompute, RunsAgainAndKeepsNothingInBetween) {
    torch::nn::Linear layer(3, 3);
    int runs = 0;
    c10::weak_intrusive_ptr<c10::TensorImpl> between(Tensor().getIntrusivePtr());
    const LayerFunction f = [&](const Tensor& x) {
        ++runs;
        const auto hidden = layer->forward(x).exp();  // exp's gradient needs its result
        between = hidden.getIntrusivePtr();
        return hidden.square();
    };
    const auto x = torch::randn({2, 3});
    const auto kept = f(x);
    EXPECT_FALSE(between.expired());
    const auto y = recomputed(*layer, x, f);
    EXPECT_TRUE(between.expired());
    EXPECT_EQ(runs, 2);
    EXPECT_TRUE(y.equal(kept));
    y.sum().backward();
    EXPECT_EQ(runs, 3);
    EXPECT_TRUE(layer->weight.grad().defined());
}

TEST(Recompute, IsTheFunctionAloneWithoutGradients) {
    torch::nn::Linear layer(3, 3);
    const torch::NoGradGuard no_grad;
    const auto y =
        recomputed(*layer, torch::ones({2, 3}), [&](const Tensor& x) { return layer->forward(x); });
    EXPECT_FALSE(y.requires_grad());
}

TEST(Recompute, DrawsTheSameAgainAndGoesOnWhereItWas) {
    torch::nn::Dropout layer(0.5);
    const auto x = torch::ones({1000}).requires_grad_();
    torch::manual_seed(3);
    const auto y = recomputed(*layer, x, [&](const Tensor& in) { return layer->forward(in); });
    const auto drawn_before = torch::rand({5});
    y.sum().backward();
    const auto drawn_after = torch::rand({5});
    EXPECT_TRUE(x.grad().equal(y.detach()));
    torch::manual_seed(3);
    layer->forward(x.detach());
    EXPECT_TRUE(torch::rand({5}).equal(drawn_before));
    EXPECT_TRUE(torch::rand({5}).equal(drawn_after));
}

class RecomputeModel : public testing::TestWithParam<std::string> {};

TEST_P(RecomputeModel, LearnsTheSameBitForBit) {
    SimVPOptions options;
    options.translator = GetParam();
    options.frames = 4;
    options.channels = 1;
    options.height = options.width = 32;
    options.hid_S = 8;
    options.hid_T = 64;
    options.N_S = 2;
    options.N_T = 2;
    options.drop = options.drop_path = 0.2;
    const auto x = torch::rand({2, 4, 1, 32, 32});
    const auto pass = [&](bool recompute) {
        torch::manual_seed(6);
        SimVP model(options);
        model->train();
        set_recompute(*model, recompute);
        const auto y = model->predict(x, 6);  // rolled out: every layer runs twice
        y.pow(2).sum().backward();
        std::vector<std::pair<std::string, Tensor>> all{{"output", y.detach()}};
        for (const auto& p : model->named_parameters()) {
            if (p.value().grad().defined()) all.emplace_back(p.key(), p.value().grad());
        }
        for (const auto& b : model->named_buffers()) all.emplace_back(b.key(), b.value());
        return all;
    };
    const auto found = pass(true), expected = pass(false);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_TRUE(found[i].second.equal(expected[i].second)) << expected[i].first;
}

INSTANTIATE_TEST_SUITE_P(Translators, RecomputeModel, testing::ValuesIn(test::translator_names()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace stl
