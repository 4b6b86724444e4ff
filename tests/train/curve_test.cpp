// The first steps of a small MogaNet against the losses that the reference had from the same weights and
// batches (tests/fixtures/train/curve*.json); float32 against float64 drifts apart slowly, which bounds the
// tolerance.
#include <gtest/gtest.h>

#include "stl/checkpoint/checkpoint.h"
#include "stl/formats/sequences.h"
#include "stl/train/step.h"

namespace stl {
namespace {

constexpr std::size_t compared_steps = 12;  // half a minute on one core

TEST(Curve, FollowsTheReferencesLosses) {
    const auto golden = read_json(STL_TEST_DATA "/train/curve.json");
    const auto golden64 = read_json(STL_TEST_DATA "/train/curve_f64.json")["losses64"];
    Json config = golden["config"];
    config["drop_path_first"] = 0.0;
    const auto checkpoint = read_checkpoint(STL_TEST_DATA "/train/curve_init.pth", false);
    SimVP model(model_options(checkpoint, config, "curve_init.pth"));
    load_weights(*model, checkpoint.state, "curve_init.pth");
    model->train();

    TrainOptions options;
    options.optimizer.lr = options.schedule.lr = 1e-3;
    options.schedule.total_steps = 150;
    Optimizer optimizer(model->parameters(), options.optimizer);
    const auto step = make_plain_step(model, optimizer, options);

    const auto reader = open_sequences(STL_TEST_DATA "/train/curve_data.h5");
    const auto& shape = reader->info().shape;
    auto data = torch::empty({reader->info().count, shape.frames, shape.channels, shape.height, shape.width});
    reader->read(0, reader->info().count, {data.data_ptr<float>(), static_cast<std::size_t>(data.numel())});

    // The reference's own float32 run strays from its float64 run by 1.1e-5 within 40 steps (1.7e-4 within
    // 60).
    const auto steps = golden64.size();
    ASSERT_GE(steps, compared_steps);
    for (std::size_t i = 0; i < compared_steps; ++i) {
        const auto first = static_cast<std::int64_t>(16 * i % 64);
        const auto batch = data.narrow(0, first, 16);
        const auto loss = (*step)({batch.narrow(1, 0, 10), batch.narrow(1, 10, 10)},
                                  schedule_value(options.schedule, static_cast<std::int64_t>(i)), nullptr);
        const double expected = golden64[i];
        EXPECT_NEAR(loss.item<double>(), expected, 1e-4 * expected) << "step " << i + 1;
    }
}

}  // namespace
}  // namespace stl
