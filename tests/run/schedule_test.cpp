// Schedules against the values that torch's and timm's own schedulers gave (tests/fixtures/train/schedule.json).
#include "stl/run/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stl/core/error.h"

namespace stl {
namespace {

Json reference() {
    static const Json json = read_json(STL_TEST_DATA "/train/schedule.json");
    return json;
}

ScheduleOptions options_of(const Json& args) {
    ScheduleOptions o;
    o.name = args["sched"];
    o.lr = args["lr"];
    o.epochs = args["epoch"];
    o.steps_per_epoch = args["steps_per_epoch"];
    o.final_div_factor = args["final_div_factor"];
    o.min_lr = args["min_lr"];
    o.warmup_lr = args["warmup_lr"];
    o.warmup_epoch = args["warmup_epoch"];
    o.decay_epoch = args["decay_epoch"];
    o.decay_rate = args["decay_rate"];
    o.total_steps = o.epochs * o.steps_per_epoch / static_cast<std::int64_t>(args["gpus"].size());
    return o;
}

void expect_close(double value, double expected, const std::string& what) {
    EXPECT_LE(std::abs(value - expected), 1e-12 + 1e-9 * std::abs(expected))
        << what << ": " << value << " for " << expected;
}

class ScheduleTest : public testing::TestWithParam<std::string> {};

TEST_P(ScheduleTest, GivesTheReferencesRates) {
    const auto golden = reference()[GetParam()];
    const auto options = options_of(golden["args"]);
    const auto& rows = golden["rows"];
    ASSERT_GE(rows.size(), 8U);
    for (const auto& row : rows) {
        const auto step = row[0].get<std::int64_t>();
        const auto value = schedule_value(options, step);
        expect_close(value.lr, row[1].get<double>(), fmt::format("lr of step {}", step));
        ASSERT_EQ(value.beta1.has_value(), row.size() > 2);
        if (value.beta1)
            expect_close(*value.beta1, row[2].get<double>(), fmt::format("beta1 of step {}", step));
    }
}

INSTANTIATE_TEST_SUITE_P(All, ScheduleTest,
                         testing::Values("onecycle_mmnist_200ep", "onecycle_8", "onecycle_kth_2gpu",
                                         "cosine_taxibj", "cosine_nowarmup", "step_default"));

TEST(Schedule, PerEpochSchedulesHoldTheirRateThroughAnEpoch) {
    ScheduleOptions o{.name = "cosine", .epochs = 10, .steps_per_epoch = 7, .total_steps = 70};
    EXPECT_EQ(schedule_value(o, 7).lr, schedule_value(o, 13).lr);
    EXPECT_NE(schedule_value(o, 13).lr, schedule_value(o, 14).lr);
}

TEST(Schedule, VeryShortOneCyclesAreTorchs) {
    // torch 2.11's OneCycleLR(Adam, max_lr=1e-3, total_steps=1), likewise 2 and 3: rate and beta1 of each step.
    const std::vector<std::vector<ScheduleValue>> expected{
        {{4e-09, 0.95}},
        {{0.0008117456539497629, 0.8688255099070633}, {4e-09, 0.95}},
        {{0.0009944154354509117, 0.8505584586887436},
         {0.00046263710266697503, 0.9037365046793212},
         {4e-09, 0.95}}};
    for (const auto& run : expected) {
        const ScheduleOptions o{.total_steps = std::ssize(run)};
        for (std::int64_t step = 0; step < o.total_steps; ++step) {
            const auto what = fmt::format("step {} of {}", step, o.total_steps);
            const auto& [lr, beta1] = run[static_cast<std::size_t>(step)];
            const auto value = schedule_value(o, step);
            expect_close(value.lr, lr, what);
            expect_close(value.beta1.value(), beta1.value(), what);
        }
    }
}

TEST(Schedule, UnknownNameNamesTheNearest) {
    EXPECT_THAT([] { find_schedule("onecylce", "a.json: train.schedule"); },
                testing::ThrowsMessage<Error>(
                    "a.json: train.schedule: unknown schedule 'onecylce' (did you mean 'onecycle'?)"));
}

}  // namespace
}  // namespace stl
