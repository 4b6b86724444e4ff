// A batch computed in parts: the gradients of the whole, and runs that go on exactly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/core/error.h"
#include "stl/train/plan.h"
#include "stl/train/step.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// Without batch norm, whose statistics are those of a part.
SimVP model_of() {
    torch::manual_seed(5);
    SimVPOptions options;
    options.translator = "convnext";
    options.frames = 3;
    options.height = options.width = 16;
    options.hid_S = 4;
    options.hid_T = 8;
    options.N_S = options.N_T = 2;
    options.mlp_ratio = 2;
    options.drop_path_first = 0;
    SimVP model(options);
    model->train();
    return model;
}

TrainBatch batch_of(std::int64_t size) {
    torch::manual_seed(6);
    return {torch::rand({size, 3, 1, 16, 16}), torch::rand({size, 3, 1, 16, 16})};
}

TEST(Accumulate, PartsGiveTheWholeBatchsGradients) {
    const auto batch = batch_of(5);  // 2 and 3 do not divide it
    TrainOptions whole;
    whole.alpha = 0.1;
    auto reference = model_of();
    const auto loss = add_gradients(reference, batch, whole);
    for (const std::int64_t parts : {2, 3, 5, 9}) {
        auto options = whole;
        options.accumulate = parts;
        auto model = model_of();
        std::vector<double> checked;
        const auto own = add_gradients(model, batch, options,
                                       [&](const torch::Tensor& l) { checked.push_back(l.item<double>()); });
        EXPECT_NEAR(own.item<double>(), loss.item<double>(), 1e-6) << parts;
        EXPECT_THAT(checked, testing::ElementsAre(own.item<double>())) << "the whole batch's loss, once";
        const auto expected = reference->parameters(), gradients = model->parameters();
        for (std::size_t i = 0; i < expected.size(); ++i)
            EXPECT_TRUE(torch::allclose(gradients[i].grad(), expected[i].grad(), 1e-4, 1e-6))
                << parts << ", " << i;
    }
}

TEST(Accumulate, OnePartIsTheStepWithout) {
    const auto batch = batch_of(4);
    auto a = model_of(), b = model_of();
    TrainOptions without, one;
    one.accumulate = 1;
    EXPECT_TRUE(torch::equal(add_gradients(a, batch, without), add_gradients(b, batch, one)));
    for (std::size_t i = 0; i < a->parameters().size(); ++i)
        EXPECT_TRUE(torch::equal(a->parameters()[i].grad(), b->parameters()[i].grad()));
}

Experiment experiment_of(const Json& train) {
    return parse_experiment(
        {{"dataset", {{"name", "mmnist"}}}, {"model", {{"translator", "gsta"}}}, {"train", train}}, "test");
}

TEST(StepParts, DivideAStepAmongDevicesAndInTime) {
    const auto parts = step_parts(experiment_of({{"batch_size", 16}, {"accumulate", 3}}), 2);
    EXPECT_EQ(parts.batch, 16);
    EXPECT_EQ(parts.per_device(), 8);
    EXPECT_EQ(parts.at_once(), 3);
    const auto each = step_parts(experiment_of({{"batch_size", 16}, {"batch_per_device", 6}}), 4);
    EXPECT_EQ(each.batch, 24);
    EXPECT_EQ(each.per_device(), 6);
}

TEST(StepParts, RefuseWhatCannotBeDivided) {
    EXPECT_THAT(
        [] {
            step_parts(experiment_of({{"batch_size", 16}}), 3);
        },
        ThrowsMessage<Error>(
            "test: train.batch_size: 16 sequences cannot be divided equally among 3 devices"));
    EXPECT_THAT(
        [] {
            step_parts(experiment_of({{"batch_size", 4}, {"accumulate", 3}}), 2);
        },
        ThrowsMessage<Error>("test: train.accumulate: 3 parts of a batch of 2 sequences"));
}

}  // namespace
}  // namespace stl
