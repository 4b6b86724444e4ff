// The optimizers against LibTorch's own, and their state through a round trip.
#include "stl/run/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim.h>

#include <functional>

#include "stl/core/error.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using Tensors = std::vector<torch::Tensor>;

Tensors make_parameters() {
    torch::manual_seed(3);
    Tensors parameters{torch::randn({7, 5}), torch::randn({3}), torch::randn({2, 3, 4})};
    for (auto& p : parameters) p.requires_grad_();
    return parameters;
}

torch::Tensor objective(const Tensors& p) {
    return (p[0].square().sum() * 0.3 + torch::sin(p[1]).sum() + p[2].abs().pow(1.5).sum());
}

Tensors run_ours(const OptimizerOptions& options, int steps) {
    auto parameters = make_parameters();
    Optimizer optimizer(parameters, options);
    for (int i = 0; i < steps; ++i) {
        optimizer.zero_grad();
        objective(parameters).backward();
        optimizer.step(options.lr);
    }
    return parameters;
}

template <class TorchOptimizer, class TorchOptions>
Tensors run_torch(const TorchOptions& options, int steps) {
    auto parameters = make_parameters();
    TorchOptimizer optimizer(parameters, options);
    for (int i = 0; i < steps; ++i) {
        optimizer.zero_grad();
        objective(parameters).backward();
        optimizer.step();
    }
    return parameters;
}

void expect_same(const Tensors& a, const Tensors& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_TRUE(torch::allclose(a[i], b[i], 1e-5, 1e-6)) << "parameter " << i << "\n"
                                                             << (a[i] - b[i]).abs().max();
    }
}

TEST(Optimizer, AdamIsLibTorchsAdam) {
    const OptimizerOptions options{.name = "adam", .lr = 0.02, .betas = {0.8, 0.99}, .weight_decay = 0.1};
    expect_same(run_ours(options, 12),
                run_torch<torch::optim::Adam>(
                    torch::optim::AdamOptions(0.02).betas({0.8, 0.99}).eps(1e-8).weight_decay(0.1), 12));
}

TEST(Optimizer, AdamWIsLibTorchsAdamW) {
    const OptimizerOptions options{.name = "adamw", .lr = 0.02, .weight_decay = 0.1};
    expect_same(run_ours(options, 12),
                run_torch<torch::optim::AdamW>(torch::optim::AdamWOptions(0.02).weight_decay(0.1), 12));
}

TEST(Optimizer, SgdIsLibTorchsNesterovSgd) {
    const OptimizerOptions options{.name = "sgd", .lr = 0.02, .betas = {0.9, 0.999}, .weight_decay = 0.01};
    expect_same(run_ours(options, 12),
                run_torch<torch::optim::SGD>(
                    torch::optim::SGDOptions(0.02).momentum(0.9).weight_decay(0.01).nesterov(true), 12));
}

TEST(Optimizer, ItsGroupSaysHowWeightsDecayAsTorchs) {
    const test::TemporaryFolder folder;
    const auto written = [&](const std::string& name) {
        Checkpoint checkpoint;
        checkpoint.state = {{"w", torch::zeros({2})}};
        checkpoint.optimizer = Optimizer({torch::zeros({2}, torch::requires_grad())}, {.name = name}).state();
        write_checkpoint(folder / "a.pth", checkpoint);
        return read_checkpoint(folder / "a.pth").optimizer->group;
    };
    EXPECT_EQ(written("adam")["decoupled_weight_decay"], false);
    EXPECT_EQ(written("adamw")["decoupled_weight_decay"], true);
    EXPECT_FALSE(written("sgd").contains("decoupled_weight_decay"));
}

void expect_state_to_go_on(const OptimizerOptions& options) {
    SCOPED_TRACE(options.name);
    const auto whole = run_ours(options, 9);

    auto parameters = make_parameters();
    const auto advance = [&](Optimizer& optimizer, int steps) {
        for (int i = 0; i < steps; ++i) {
            optimizer.zero_grad();
            objective(parameters).backward();
            optimizer.step(options.lr);
        }
    };
    Optimizer first(parameters, options);
    advance(first, 4);
    Optimizer second(parameters, options);
    second.load(first.state(), "state");
    advance(second, 5);
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(torch::equal(whole[i], parameters[i]));
}

TEST(Optimizer, StateGoesOnBitForBit) {
    expect_state_to_go_on({.lr = 0.05});
    expect_state_to_go_on({.name = "sgd", .lr = 0.05});
}

TEST(Optimizer, SgdsStateIsNoneForAdam) {
    const Optimizer sgd(make_parameters(), {.name = "sgd"});
    Optimizer adam(make_parameters(), {});
    EXPECT_THAT([&] { adam.load(sgd.state(), "state"); },
                testing::ThrowsMessage<Error>("state: optimizer state of SGD, the optimizer is adam"));
}

TEST(Optimizer, ParametersWithoutGradientStay) {
    auto parameters = make_parameters();
    const auto before = parameters[1].clone();
    Optimizer optimizer(parameters, {});
    parameters[0].square().sum().backward();
    optimizer.step(0.1);
    EXPECT_TRUE(torch::equal(parameters[1], before));
    EXPECT_EQ(optimizer.state().parameters[1].step, 0.0);
    EXPECT_EQ(optimizer.state().parameters[0].step, 1.0);
}

TEST(Optimizer, ClipsTheCommonNorm) {
    auto parameters = make_parameters();
    Optimizer optimizer(parameters, {});
    objective(parameters).backward();
    const double before = optimizer.clip_gradients(0.5).item<double>();
    EXPECT_GT(before, 0.5);
    double squares = 0;
    for (const auto& p : parameters) squares += p.grad().square().sum().item<double>();
    EXPECT_NEAR(std::sqrt(squares), 0.5, 1e-4);
}

TEST(Optimizer, RefusesAnotherModelsState) {
    auto parameters = make_parameters();
    Optimizer optimizer(parameters, {});
    auto state = optimizer.state();
    state.parameters.pop_back();
    EXPECT_THROW(optimizer.load(state, "x.pth"), Error);
    state = optimizer.state();
    state.parameters[0].exp_avg = torch::zeros({2});
    EXPECT_THAT(
        [&] { optimizer.load(state, "x.pth"); },
        testing::ThrowsMessage<Error>("x.pth: optimizer state 0 has shape [2], the parameter [7, 5]"));
}

TEST(Optimizer, UnknownNameNamesTheNearest) {
    EXPECT_THAT([] { find_optimizer("adm", "a.json: train.optimizer"); },
                testing::ThrowsMessage<Error>(
                    "a.json: train.optimizer: unknown optimizer 'adm' (did you mean 'adam'?)"));
}

}  // namespace
}  // namespace stl
