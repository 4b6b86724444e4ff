// A network's trace: it does what the network does, for batch sizes that it was not traced with.
#include "stl/export/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/import.h>

#include <sstream>

#include "stl/export/batch.h"
#include "stl/models/translators/block.h"
#include "tests/export/networks.h"
#include "tests/support/checks.h"
#include "tests/support/distance.h"

namespace stl {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;

/// What another program gets.
torch::jit::Module saved_and_loaded(const torch::jit::Module& module) {
    std::stringstream file;
    module.save(file);
    return torch::jit::load(file);
}

class TraceTest : public testing::TestWithParam<std::string> {
  protected:
    const torch::NoGradGuard no_grad;
    SimVP network = test::network_to_export(GetParam());

    torch::jit::Module traced(std::int64_t frames, bool half = false) {
        return trace(*network, [this, frames](const torch::Tensor& x) { return network->predict(x, frames); },
                     {.input_shape = test::input_shape(*network), .half = half});
    }
    void expect_same(torch::jit::Module module, std::int64_t frames) {
        for (const std::int64_t batch : {1, 5}) {
            const auto x = test::input_of(*network, batch);
            const auto found = module.forward({x}).toTensor();
            const auto expected = network->predict(x, frames);
            ASSERT_EQ(found.sizes(), expected.sizes());
            EXPECT_LT(test::distance(found, expected), 1e-6) << "batch " << batch;
        }
    }
};

TEST_P(TraceTest, GivesWhatTheNetworkGivesAtEveryBatchSize) {
    expect_same(saved_and_loaded(traced(network->options().frames)), network->options().frames);
}

TEST_P(TraceTest, RollsOutAndCuts) {
    const auto frames = network->options().frames;
    expect_same(traced(frames + 2), frames + 2);
    expect_same(traced(1), 1);
}

TEST_P(TraceTest, OfAFoldedNetworkToo) {
    const auto x = test::input_of(*network, 3);
    const auto expected = network->predict(x, 2);
    network->hid->fold();
    const auto found = saved_and_loaded(traced(2)).forward({x}).toTensor();
    EXPECT_LT(test::distance(found, expected), 1e-5);
}

TEST_P(TraceTest, HoldsTheWeightsByTheirNames) {
    const auto module = saved_and_loaded(traced(2));
    std::map<std::string, torch::Tensor> found;
    for (const auto& item : module.named_parameters()) found[item.name] = item.value;
    for (const auto& item : module.named_buffers()) found[item.name] = item.value;
    for (const auto& item : network->named_parameters()) {
        ASSERT_THAT(found, Contains(Key(item.key())));
        EXPECT_TRUE(found[item.key()].equal(item.value())) << item.key();
    }
    for (const auto& item : network->named_buffers()) EXPECT_THAT(found, Contains(Key(item.key())));
    EXPECT_EQ(found.size(), network->named_parameters().size() + network->named_buffers().size());
}

TEST_P(TraceTest, HalvedItHoldsBf16AndComputesInFloat32) {
    const auto x = test::input_of(*network, 3);
    const auto exact = network->predict(x, 2);
    const auto module = saved_and_loaded(traced(2, /*half=*/true));
    for (const auto& item : module.named_parameters())
        EXPECT_EQ(item.value.scalar_type(), item.value.dim() >= 2 ? torch::kBFloat16 : torch::kFloat32)
            << item.name;
    expect_same(module, 2);  // the network's weights are rounded now
    const auto off = test::distance(network->predict(x, 2), exact);
    EXPECT_GT(off, 1e-5);
    EXPECT_LT(off, 0.05);
}

INSTANTIATE_TEST_SUITE_P(Translators, TraceTest, testing::ValuesIn(test::translator_names()),
                         [](const auto& info) { return info.param; });

// Of functions that are no network.

struct Nothing : torch::nn::Module {};

std::string refusal(const Pass& pass) {
    Nothing nothing;
    return test::error_of([&] { trace(nothing, pass, {.input_shape = {6}}); });
}

TEST(Trace, SizesBecomeExpressionsOfTheBatch) {
    Nothing nothing;
    const Pass pass = [](const torch::Tensor& x) {
        return x.expand({3 * x.size(0) + 1, x.size(0), 6}).contiguous();
    };
    auto module = trace(nothing, pass, {.input_shape = {6}});
    EXPECT_EQ(module.forward({torch::rand({7, 6})}).toTensor().sizes(),
              (std::vector<std::int64_t>{22, 7, 6}));
    const auto graph = module.get_method("forward").graph();
    EXPECT_THAT(sizes_of(*graph->outputs().at(0)), ElementsAre(-1, -1, 6));
    EXPECT_THAT(sizes_of(*graph->inputs().at(1)), ElementsAre(-1, 6));
}

TEST(Trace, WhatDependsOnTheBatchInAnotherWayIsRefused) {
    const std::string start = "the network cannot be exported for every batch size: ";
    EXPECT_EQ(refusal([](const torch::Tensor& x) {
                  return x.expand({x.size(0) * x.size(0), x.size(0), 6}).contiguous();
              }),
              start + "its trace fails at a batch of 1");
    EXPECT_EQ(refusal([](const torch::Tensor& x) { return x.size(0) == 2 ? x.sin() : x.cos(); }),
              start + "from one to another, aten::sin differs in its kind");
    EXPECT_EQ(refusal([](const torch::Tensor& x) { return x.size(0) == 2 ? x.sin() : x.sin().cos(); }),
              start + "from one to another, aten::cos differs in its place");
    EXPECT_EQ(refusal([](const torch::Tensor& x) { return x * (1.0 / static_cast<double>(x.size(0))); }),
              start + "from one to another, prim::Constant differs in its value");
    EXPECT_EQ(
        refusal([](const torch::Tensor& x) { return x + torch::full({6}, static_cast<double>(x.size(0))); }),
        start + "from one to another, prim::Constant differs in its value");
    EXPECT_THAT(refusal([](const torch::Tensor& x) { return x.size(0) == 1 ? x + 1 : x + 2; }),
                HasSubstr("its trace deviates by 5.1e-01 of the largest value at a batch of 1"));
}

TEST(Trace, NumbersThatAreNotFiniteAreRefused) {
    EXPECT_THAT(refusal([](const torch::Tensor& x) { return (x - 2).log(); }), HasSubstr("not finite"));
}

}  // namespace
}  // namespace stl
