// Adam with its numbers in device memory against the optimizer's own step, and the graph's step against the
// plain one: with the kernels emulated on the CPU always, on a GPU where there is one.
#include <gmock/gmock.h>

#include <cmath>
#include <optional>

#include "stl/core/error.h"
#include "stl/train/graph_step.h"
#include "tests/gpu/subject.h"
#include "tests/gpu/watched_graph.h"
#include "tests/support/notes.h"
#include "tests/support/tf32.h"

namespace stl {
namespace {

using test::distance;
using test::Notes;
using test::Tensors;
using test::WatchedGraph;

class GpuTraining : public test::KernelTest {
  protected:
    /// One after the other with a learning rate and a beta1 that move, as onecycle's do.
    Tensors optimize(const OptimizerOptions& options, bool on_device) {
        torch::manual_seed(3);
        Tensors parameters{torch::randn({7, 5}), torch::randn({3}), torch::randn({1000}),
                           torch::randn({2, 3, 4, 4}).contiguous(torch::MemoryFormat::ChannelsLast)};
        for (auto& p : parameters) p = p.to(device).requires_grad_();
        Optimizer optimizer(parameters, options);
        for (int i = 0; i < 12; ++i) {
            optimizer.zero_grad();
            torch::Tensor loss = parameters[1].sin().sum();
            if (i > 2) loss = loss + parameters[0].square().sum();  // joins later, and counts its own steps
            loss = loss + parameters[2].abs().pow(1.5).sum() + parameters[3].exp().sum();
            loss.backward();
            const double lr = 0.01 * (1 + i), beta1 = 0.95 - 0.01 * i;
            if (on_device) {
                optimizer.step_on_device(torch::tensor({lr, beta1}, torch::kFloat32).to(device), kernels());
                optimizer.used(lr, beta1);
            } else {
                optimizer.step(lr, beta1);
            }
        }
        for (const auto& stored : optimizer.state().parameters) {
            parameters.push_back(stored.exp_avg);
            parameters.push_back(stored.exp_avg_sq);
            parameters.push_back(torch::tensor(stored.step));
        }
        const auto& group = optimizer.state().group;
        parameters.push_back(torch::tensor({group["lr"].get<double>(), group["betas"][0].get<double>()}));
        return parameters;
    }

    void expect_same_steps(const OptimizerOptions& options) {
        const auto found = optimize(options, true), expected = optimize(options, false);
        ASSERT_EQ(found.size(), expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
            EXPECT_EQ(found[i].strides(), expected[i].strides()) << i;
            EXPECT_LT(distance(found[i], expected[i]), 1e-5) << i;
        }
    }
};

TEST_P(GpuTraining, AdamIsTheOptimizersAdam) {
    expect_same_steps({.name = "adam", .betas = {0.9, 0.99}, .weight_decay = 0.1});
}

TEST_P(GpuTraining, AdamWIsTheOptimizersAdamW) {
    expect_same_steps({.name = "adamw", .weight_decay = 0.1});
}

TEST_P(GpuTraining, AnOptimizerWithoutAStepOnTheDeviceSaysSo) {
    Optimizer sgd({torch::zeros({2}, device).requires_grad_()}, {.name = "sgd"});
    EXPECT_FALSE(sgd.has_step_on_device());
    EXPECT_THAT([&] { sgd.step_on_device(torch::zeros({2}, device), kernels()); },
                testing::ThrowsMessage<Error>("sgd: has no step with its numbers on the device"));
}

struct Outcome {
    std::vector<double> losses;
    Tensors parameters;
};

class GraphStepTest : public GpuTraining {
  protected:
    enum class Way { plain, graph };

    Outcome train(Way way, const TrainOptions& options = {}, std::int64_t odd_batch_at = -1) {
        SimVPOptions model_options;
        model_options.translator = "moganet";
        model_options.frames = 3;
        model_options.height = model_options.width = 16;
        model_options.hid_S = 8;
        model_options.hid_T = 16;
        model_options.N_S = model_options.N_T = 2;
        model_options.mlp_ratio = 2;
        model_options.drop_path = 0.2;
        torch::manual_seed(1);
        SimVP model(model_options);
        model->to(device);
        model->train();
        Optimizer optimizer(model->parameters(), options.optimizer);
        std::optional<WeightAverage> average;
        if (options.ema) average.emplace(model, *options.ema);
        auto* weights = average ? &*average : nullptr;
        auto step = way == Way::plain ? make_plain_step(model, optimizer, options, weights)
                                      : make_graph_step(model, optimizer, options, kernels(),
                                                        std::make_unique<WatchedGraph>(make_graph(), calls),
                                                        notes, weights);
        Outcome outcome;
        for (int i = 0; i < 8; ++i) {
            torch::manual_seed(100 + i);  // stochastic depth
            const auto clip = torch::rand({i == odd_batch_at ? 1 : 2, 6, 1, 16, 16}).to(device);
            const ScheduleValue settings{.lr = 1e-3 * (i + 1), .beta1 = 0.95 - 0.01 * i};
            const TrainBatch batch{clip.narrow(1, 0, 3), clip.narrow(1, 3, 3)};
            torch::Tensor loss;
            const auto make_step = [&] { loss = (*step)(batch, settings, nullptr); };
            EXPECT_EQ(test::allows_tf32(make_step), options.precision == Precision::tf32);
            outcome.losses.push_back(loss.item<double>());
            kept.push_back(loss);
        }
        for (const auto& p : model->parameters()) outcome.parameters.push_back(p.detach().cpu());
        for (const auto& b : model->buffers()) outcome.parameters.push_back(b.cpu());
        if (!average) return outcome;
        for (const auto& [name, tensor] : average->state()) outcome.parameters.push_back(tensor.cpu());
        return outcome;
    }
    std::unique_ptr<gpu::Graph> make_graph() const { return kernels().make_graph(); }

    void expect_same(const Outcome& a, const Outcome& b, double bound) {
        ASSERT_EQ(a.losses.size(), b.losses.size());
        for (std::size_t i = 0; i < a.losses.size(); ++i)
            EXPECT_NEAR(a.losses[i], b.losses[i], bound * b.losses[i]) << "step " << i;
        for (std::size_t i = 0; i < a.parameters.size(); ++i)
            EXPECT_LT(distance(a.parameters[i], b.parameters[i]), 20 * bound) << "parameter " << i;
    }

    WatchedGraph::Calls calls;
    Notes notes;
    Tensors kept;  ///< losses as they were handed out
};

TEST_P(GraphStepTest, TrainsAsThePlainStep) {
    const auto graph = train(Way::graph);
    EXPECT_EQ(calls.warm_ups, graph_warm_up_steps);
    EXPECT_EQ(calls.captures, 1);
    EXPECT_EQ(calls.replays, 8 - graph_warm_up_steps);
    EXPECT_TRUE(notes.warnings.empty());
    for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i].item<double>(), graph.losses[i]);
    // On a GPU stochastic depth draws other numbers inside a graph.
    if (device.is_cpu()) expect_same(graph, train(Way::plain), 1e-5);
}

TEST_P(GraphStepTest, AccumulatesAsThePlainStep) {
    TrainOptions options;
    options.accumulate = 2;
    const auto graph = train(Way::graph, options);
    EXPECT_EQ(calls.captures, 1);
    if (device.is_cpu()) expect_same(graph, train(Way::plain, options), 1e-5);
}

TEST_P(GraphStepTest, ClipsAndDecaysAsThePlainStep) {
    TrainOptions options;
    options.clip_norm = 0.01;
    options.optimizer = {.name = "adamw", .weight_decay = 0.1};
    const auto graph = train(Way::graph, options);
    if (device.is_cpu()) expect_same(graph, train(Way::plain, options), 1e-5);
}

TEST_P(GraphStepTest, AveragesWeightsAsThePlainStep) {
    TrainOptions options;
    options.ema = 0.7;
    const auto with = train(Way::graph, options, 6), without = train(Way::graph, {}, 6);
    EXPECT_GT(with.parameters.size(), without.parameters.size());
    if (!device.is_cpu()) return;
    // Neither the weights nor the average of a batch that ran as a plain step differ.
    for (std::size_t i = 0; i < without.parameters.size(); ++i)
        EXPECT_TRUE(with.parameters[i].equal(without.parameters[i])) << i;
    expect_same(with, train(Way::plain, options, 6), 1e-5);
}

TEST_P(GraphStepTest, LeavesABatchOfAnotherShapeToThePlainStep) {
    const auto graph = train(Way::graph, {}, 6);
    EXPECT_EQ(calls.replays, 8 - graph_warm_up_steps - 1);
    if (device.is_cpu()) expect_same(graph, train(Way::plain, {}, 6), 1e-5);
}

TEST_P(GraphStepTest, AllowsTf32FromForwardToUpdate) {
    TrainOptions options;
    options.precision = Precision::tf32;
    train(Way::graph, options);
    train(Way::plain, options);
    EXPECT_FALSE(test::tf32_is_on());
}

TEST_P(GraphStepTest, GoesOnPlainlyAndSaysSoWhereCaptureFails) {
    calls.fails = true;
    const auto graph = train(Way::graph);
    EXPECT_EQ(calls.captures, 1);
    EXPECT_EQ(calls.replays, 0);
    EXPECT_THAT(
        notes.warnings,
        testing::ElementsAre("the training step cannot be captured as a graph, it runs kernel by kernel: "
                             "operation not permitted when stream is capturing"));
    if (device.is_cpu()) expect_same(graph, train(Way::plain), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(devices, GpuTraining, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(devices, GraphStepTest, testing::Values("cpu", "cuda"), test::device_name);

}  // namespace
}  // namespace stl
