// Python's Adam stops after five steps; ours takes the other five and arrives where Python's did.

#include "stl/run/optimizer.h"
#include "tests/checkpoint/support.h"

namespace stl {
namespace {

std::vector<torch::Tensor> go_on(const Checkpoint& checkpoint, const NamedTensors& given) {
    std::vector<torch::Tensor> parameters;
    for (const auto& [name, tensor] : checkpoint.state) parameters.push_back(tensor.clone().requires_grad_());
    const auto& group = checkpoint.optimizer->group;
    OptimizerOptions options{.lr = group["lr"],
                             .betas = {group["betas"][0], group["betas"][1]},
                             .eps = group["eps"],
                             .weight_decay = group["weight_decay"]};
    Optimizer optimizer(parameters, options);
    optimizer.load(*checkpoint.optimizer, "test");
    for (int step = 0; step < 5; ++step) {
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            parameters[i].mutable_grad() =
                find(given, fmt::format("gradient.{}.{}", step, checkpoint.state[i].first)).clone();
        }
        optimizer.step(options.lr);
    }
    return parameters;
}

TEST(OptimizerState, PythonsAdamContinuesHere) {
    const auto checkpoint = read_checkpoint(made_folder / "adam.pth");
    EXPECT_EQ(checkpoint.optimizer->parameters[0].step, 5.0);
    const auto parameters = go_on(checkpoint, checkpoint.extra);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const auto& expected = find(checkpoint.extra, "after." + checkpoint.state[i].first);
        EXPECT_TRUE(torch::allclose(parameters[i], expected, 1e-6, 1e-7))
            << (parameters[i] - expected).abs().max();
        EXPECT_FALSE(torch::allclose(checkpoint.state[i].second, expected, 1e-2, 1e-2))
            << "nothing was to be done";
    }
}

TEST(OptimizerState, ItContinuesTheSameAfterBeingWrittenHere) {
    const TemporaryFolder folder;
    const auto checkpoint = read_checkpoint(made_folder / "adam.pth");
    write_checkpoint(folder / "again.pth", checkpoint);
    const auto first = go_on(checkpoint, checkpoint.extra);
    const auto second = go_on(read_checkpoint(folder / "again.pth"), checkpoint.extra);
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(torch::equal(first[i], second[i]));
}

TEST(OptimizerState, SgdsIsWrittenAsTorchHasIt) {
    const TemporaryFolder folder;
    auto checkpoint = read_checkpoint(made_folder / "adam.pth");
    auto& optimizer = *checkpoint.optimizer;
    for (auto& parameter : optimizer.parameters) parameter = {0, parameter.exp_avg, {}};
    optimizer.group = {{"lr", 0.5}, {"momentum", 0.8}, {"nesterov", true}};
    write_checkpoint(folder / "sgd.pth", checkpoint);
    const auto again = read_checkpoint(folder / "sgd.pth");
    EXPECT_EQ(again.optimizer->group["momentum"], 0.8);
    EXPECT_EQ(again.optimizer->group["dampening"], 0);
    EXPECT_FALSE(again.optimizer->group.contains("betas"));
    for (std::size_t i = 0; i < optimizer.parameters.size(); ++i) {
        EXPECT_TRUE(torch::equal(again.optimizer->parameters[i].exp_avg, optimizer.parameters[i].exp_avg));
        EXPECT_FALSE(again.optimizer->parameters[i].exp_avg_sq.defined());
    }
}

}  // namespace
}  // namespace stl
