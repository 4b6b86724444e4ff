// What holds for every metric of the list, also for one that is added.
#include "stl/metrics/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "stl/core/file.h"
#include "stl/metrics/metrics.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using ::testing::HasSubstr;

TEST(MetricList, IsDocumented) {
    std::string text = read_text(fs::path(STL_SOURCE_DIR) / "docs/metrics.md");
    for (auto bold = text.find("**"); bold != std::string::npos; bold = text.find("**")) text.erase(bold, 2);
    std::set<std::string> keys;
    for (const auto& metric : metric_list()) {
        EXPECT_TRUE(keys.insert(metric.key).second) << metric.key;
        EXPECT_THAT(text, HasSubstr(fmt::format("| {} | {} |", metric.title, metric.help)));
    }
}

MetricValues measured(const torch::Tensor& prediction, const torch::Tensor& truth,
                      const MetricOptions& options = {}) {
    MetricAccumulator metrics(options);
    metrics.add(prediction, truth);
    return metrics.value();
}

TEST(MetricList, EachPrefersTheBetterPrediction) {
    torch::manual_seed(5);
    const auto truth = torch::rand({2, 3, 1, 12, 12});
    const auto near = measured(truth + 0.01 * torch::randn_like(truth), truth);
    const auto far = measured(truth + 0.2 * torch::randn_like(truth), truth);
    for (const auto& [metric, overall, per_frame] : near.values) {
        SCOPED_TRACE(metric.key);
        EXPECT_TRUE(is_better(metric, overall, far[metric.key]));
        EXPECT_FALSE(is_better(metric, far[metric.key], overall));
        EXPECT_FALSE(is_better(metric, overall, overall));
        EXPECT_FALSE(is_better(metric, std::nan(""), overall));
        EXPECT_EQ(per_frame.size(), 3U);
    }
}

TEST(MetricList, EachHasAValueForEveryGroupOfWhichItIsTheMean) {
    torch::manual_seed(6);
    const auto truth = torch::rand({2, 3, 2, 12, 12}), prediction = torch::rand({2, 3, 2, 12, 12});
    MetricOptions options;
    options.channel_names = {"u", "v"};
    const auto both = measured(prediction, truth, options);
    const auto u = measured(prediction.slice(2, 0, 1), truth.slice(2, 0, 1));
    const auto v = measured(prediction.slice(2, 1, 2), truth.slice(2, 1, 2));
    const auto json = both.to_json(options);
    for (const auto& metric : metric_list()) {
        SCOPED_TRACE(metric.key);
        EXPECT_EQ(json.contains(metric.key + "_u"), metric.by_group);
        if (!metric.by_group) continue;
        EXPECT_NEAR(json[metric.key + "_u"], u[metric.key], 1e-9);
        EXPECT_NEAR(both[metric.key], (u[metric.key] + v[metric.key]) / 2, 1e-9);
        for (std::size_t t = 0; t < 3; ++t) {
            const auto mean = (u.of(metric.key).per_frame[t] + v.of(metric.key).per_frame[t]) / 2;
            EXPECT_NEAR(both.of(metric.key).per_frame[t], mean, 1e-9);
        }
    }
}

TEST(MetricList, EachThatNeedsARangeIsMissingWithoutOne) {
    const auto kelvin = 280 + 20 * torch::rand({1, 2, 1, 8, 8});
    for (const auto& [metric, overall, per_frame] : measured(kelvin + 1, kelvin).values) {
        EXPECT_EQ(std::isnan(overall), metric.needs_range) << metric.key;
        EXPECT_EQ(std::isnan(per_frame[1]), metric.needs_range) << metric.key;
    }
}

TEST(MetricList, WhatWasNotMeasuredIsAnError) {
    const auto x = torch::rand({1, 1, 1, 8, 8});
    EXPECT_THAT(test::error_of([&] { measured(x, x).of("lpips"); }), HasSubstr("lpips was not measured"));
}

TEST(MetricList, TitlesAreListed) {
    const auto titles = metric_titles(&Metric::summed);
    EXPECT_THAT(titles, HasSubstr("MSE"));
    for (const auto& metric : metric_list())
        EXPECT_EQ(titles.find(metric.title) != std::string::npos, metric.summed);
}

}  // namespace
}  // namespace stl
