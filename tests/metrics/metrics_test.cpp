#include "stl/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "stl/core/error.h"
#include "stl/metrics/frame_sums.h"
#include "tests/metrics/reference_cases.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using test::error_of;
using ::testing::HasSubstr;
using testing::options_of;
using testing::reference_cases;

/// 1e-6 relative, SSIM 1e-6 absolute.
void expect_value(const std::string& name, double ours, double reference) {
    const double tolerance = name == "ssim" ? 1e-6 : 1e-6 * std::abs(reference);
    EXPECT_NEAR(ours, reference, tolerance) << name;
}

TEST(Metrics, MatchTheReferenceOverAllCasesAndOptions) {
    int compared = 0;
    for (const auto& entry : reference_cases()) {
        for (const auto& run : entry.runs) {
            SCOPED_TRACE(entry.name + " " + run.dump().substr(0, 120));
            const auto options = options_of(run);
            MetricAccumulator metrics(options);
            metrics.add(entry.prediction, entry.truth);
            const auto json = metrics.value().to_json(options);
            for (const auto& [name, value] : run["values_float64"].items()) {
                if (name == "snr") continue;
                ASSERT_TRUE(json.contains(name)) << name;
                expect_value(name, json[name], value);
                ++compared;
            }
        }
    }
    EXPECT_GE(compared, 300);
}

TEST(Metrics, MatchTheReferencePerFrame) {
    for (const auto& entry : reference_cases()) {
        for (const auto mode : {SsimMode::openstl, SsimMode::standard}) {
            SCOPED_TRACE(entry.name);
            MetricOptions options;
            options.ssim = mode;
            MetricAccumulator metrics(options);
            metrics.add(entry.prediction, entry.truth);
            const auto json = metrics.value().to_json(options)["per_frame"];
            const auto& reference =
                entry.per_frame[mode == SsimMode::openstl ? "data_range_2" : "data_range_1"]["float64"];
            for (const auto& [name, values] : reference.items()) {
                ASSERT_EQ(json[name].size(), values.size());
                for (std::size_t t = 0; t < values.size(); ++t) expect_value(name, json[name][t], values[t]);
            }
        }
    }
}

TEST(Metrics, MergedAccumulatorsGiveTheWhole) {
    for (const auto& entry : reference_cases()) {
        SCOPED_TRACE(entry.name);
        MetricAccumulator whole, first, second, nothing;
        whole.add(entry.prediction, entry.truth);
        whole.add(entry.truth, entry.prediction);
        first.add(entry.prediction, entry.truth);
        second.add(entry.truth, entry.prediction);
        for (const auto* one : {&second, &nothing}) first.merge(one->state());
        const auto expected = whole.value(), merged = first.value();
        EXPECT_EQ(merged.sequences, expected.sequences);
        EXPECT_EQ(merged.nan_frames, expected.nan_frames);
        EXPECT_EQ(merged.outside.has_value(), expected.outside.has_value());
        for (std::size_t i = 0; i < expected.values.size(); ++i) {
            const double value = expected.values[i].overall;
            if (!std::isfinite(value)) {
                EXPECT_FALSE(std::isfinite(merged.values[i].overall)) << i;
            } else {
                EXPECT_NEAR(merged.values[i].overall, value, 1e-12 * std::abs(value)) << i;
            }
        }
        nothing.merge(whole.state());
        EXPECT_EQ(nothing.value().to_json({}), expected.to_json({}));
    }
    MetricOptions grouped;
    grouped.channel_names = {"u", "v"};
    MetricAccumulator other(grouped), plain;
    other.add(torch::rand({1, 2, 2, 16, 16}), torch::rand({1, 2, 2, 16, 16}));
    EXPECT_THAT([&] { plain.merge(other.state()); },
                ::testing::ThrowsMessage<Error>(::testing::HasSubstr("cannot be merged")));
}

TEST(Metrics, DeviceOperationsGiveWhatTheKernelGives) {
    for (const auto& entry : reference_cases()) {
        const auto frames = entry.prediction.flatten(0, 1), truth = entry.truth.flatten(0, 1);
        const auto channels = frames.size(1);
        FrameSumOptions options{.scale = 0.9,
                                .shift = 0.03,
                                .clip_min = 0.05,
                                .clip_max = 0.8,
                                .data_range = 1.0,
                                .groups = channels % 2 == 0 ? 2 : 1};
        const auto device = frame_sums(frames, truth, options);
        FrameKernel kernel(channels, frames.size(2), frames.size(3), options);
        std::vector<double> sums(static_cast<std::size_t>(FrameSums{options.groups}.size()));
        const auto elements = static_cast<std::size_t>(frames[0].numel());
        for (std::int64_t i = 0; i < frames.size(0); ++i) {
            kernel(std::span(frames[i].const_data_ptr<float>(), elements),
                   std::span(truth[i].const_data_ptr<float>(), elements), sums);
            for (std::size_t k = 0; k < sums.size(); ++k) {
                const double other = device[i][static_cast<std::int64_t>(k)].item<double>();
                EXPECT_NEAR(sums[k], other, 1e-11 * std::max(1.0, std::abs(other)))
                    << entry.name << " sum " << k;
            }
        }
    }
}

TEST(Metrics, AHugeValueSpoilsItsOwnWindowsAlone) {
    torch::manual_seed(3);
    const auto truth = torch::rand({1, 2, 20, 33}, torch::kFloat64);
    const auto prediction = (truth + 0.05 * torch::randn_like(truth)).clamp(0, 1);
    const FrameSumOptions options;
    FrameKernel kernel(2, 20, 33, options);
    const auto elements = static_cast<std::size_t>(truth.numel());
    std::vector<double> sums(static_cast<std::size_t>(FrameSums{options.groups}.size()));
    for (const double value : {1e5, 1e8, 1e10, -1e20}) {
        SCOPED_TRACE(value);
        auto spoilt = truth.clone();
        spoilt[0][0][0][9] = value;
        const auto expected = frame_sums(prediction, spoilt, options);
        kernel(std::span(prediction.const_data_ptr<double>(), elements),
               std::span(spoilt.const_data_ptr<double>(), elements), sums);
        EXPECT_NEAR(sums.back(), expected[0][-1].item<double>(), 1e-6);
    }
}

/// Sequences with something of everything: noise, blanks, values outside [0,1].
torch::Tensor noise(std::int64_t sequences, std::int64_t seed) {
    torch::manual_seed(static_cast<std::uint64_t>(seed));
    auto x = torch::randn({sequences, 5, 2, 41, 37}) * 0.5 + 0.3;
    x.slice(0, 0, 1).zero_();
    return x;
}

MetricValues in_batches(const torch::Tensor& prediction, const torch::Tensor& truth, std::int64_t batch) {
    MetricAccumulator metrics;
    for (std::int64_t i = 0; i < prediction.size(0); i += batch) {
        const auto end = std::min(i + batch, prediction.size(0));
        metrics.add(prediction.slice(0, i, end), truth.slice(0, i, end));
    }
    return metrics.value();
}

TEST(Metrics, DoNotDependOnBatchesOrThreads) {
    const auto prediction = noise(23, 1), truth = noise(23, 2).clamp(0, 1);
    const int threads = at::get_num_threads();
    const auto whole = in_batches(prediction, truth, 23).to_json({});
    for (const int n : {1, 3}) {
        at::set_num_threads(n);
        for (const std::int64_t batch : {1, 4, 23}) {
            EXPECT_EQ(in_batches(prediction, truth, batch).to_json({}), whole)
                << n << " threads, batches of " << batch;
        }
    }
    at::set_num_threads(threads);
}

TEST(Metrics, TakeEveryFloatingPointType) {
    const auto prediction = noise(3, 3), truth = noise(3, 4).clamp(0, 1);
    const auto single = in_batches(prediction, truth, 3);
    const auto twice = in_batches(prediction.to(torch::kFloat64), truth.to(torch::kFloat64), 3);
    EXPECT_EQ(single.to_json({}), twice.to_json({}));
    const auto half = prediction.to(torch::kBFloat16);
    EXPECT_EQ(in_batches(half, truth, 3).to_json({}),
              in_batches(half.to(torch::kFloat32), truth, 3).to_json({}));
    // Not contiguous, as a network in channels-last returns it.
    EXPECT_EQ(in_batches(prediction.transpose(3, 4).contiguous().transpose(3, 4), truth, 3).to_json({}),
              single.to_json({}));
}

TEST(Metrics, EqualSequencesAreWithoutErrorAndPsnrIsInfinite) {
    const auto truth = noise(2, 5).clamp(0, 1);
    const auto values = in_batches(truth, truth, 2);
    EXPECT_EQ(values["mse"], 0.0);
    EXPECT_EQ(values["mae"], 0.0);
    EXPECT_EQ(values["ssim"], 1.0);
    EXPECT_TRUE(std::isinf(values["psnr"]));
    const auto json = values.to_json({});
    EXPECT_TRUE(json["psnr"].is_null());
    EXPECT_TRUE(json["per_frame"]["psnr"][0].is_null());
}

TEST(Metrics, ARangeCountsAsIfItHadBeenScaled) {
    torch::manual_seed(3);
    const auto truth = torch::rand({2, 3, 1, 12, 14}, torch::kFloat64);
    const auto prediction = truth + 0.3 * torch::randn_like(truth);
    const double low = 250, width = 60;
    for (const auto mode : {SsimMode::openstl, SsimMode::standard}) {
        MetricOptions options;
        options.ssim = mode;
        MetricAccumulator unit(options);
        unit.add(prediction, truth);
        options.range = ValueRange{low, low + width};
        MetricAccumulator kelvin(options);
        kelvin.add(prediction * width + low, truth * width + low);
        const auto a = unit.value(), b = kelvin.value();
        EXPECT_NEAR(a["ssim"], b["ssim"], 1e-9);
        EXPECT_NEAR(a["psnr"], b["psnr"], 1e-9);
        EXPECT_NEAR(a["mse"] * width * width, b["mse"], 1e-6 * b["mse"]) << "in the values' own units";
        EXPECT_NEAR(a["mae"] * width, b["mae"], 1e-6 * b["mae"]);
        EXPECT_FALSE(b.outside);
        EXPECT_EQ(b.to_json(kelvin.options())["range"], Json({250.0, 310.0}));
    }
}

TEST(Metrics, ValuesOutsideTheRangeHaveNoSsimOrPsnr) {
    torch::manual_seed(4);
    const auto kelvin = 280 + 20 * torch::rand({1, 2, 1, 8, 8});
    MetricAccumulator metrics;
    metrics.add(kelvin, kelvin);
    const auto v = metrics.value();
    EXPECT_EQ(v["mse"], 0);
    EXPECT_TRUE(std::isnan(v["ssim"]));
    EXPECT_TRUE(std::isnan(v["psnr"]));
    ASSERT_TRUE(v.outside);
    EXPECT_NEAR(v.outside->low, 280, 3);
    EXPECT_NEAR(v.outside->high, 300, 3);
    const auto json = v.to_json(metrics.options());
    EXPECT_TRUE(json["ssim"].is_null());
    EXPECT_TRUE(json["per_frame"]["psnr"][0].is_null());
    EXPECT_EQ(json["truth_range"][1], v.outside->high);

    // What the prediction holds is clipped, and the truth may overshoot.
    MetricAccumulator pictures;
    pictures.add(kelvin, torch::rand({1, 2, 1, 8, 8}) * 1.8 - 0.4);
    EXPECT_FALSE(std::isnan(pictures.value()["ssim"]));
    EXPECT_FALSE(pictures.value().outside);
}

TEST(Metrics, FramesSmallerThanTheWindowHaveNoSsim) {
    const auto values = in_batches(torch::zeros({1, 2, 1, 6, 9}), torch::ones({1, 2, 1, 6, 9}), 1);
    EXPECT_TRUE(std::isnan(values["ssim"]));
    EXPECT_TRUE(values.to_json({})["ssim"].is_null());
    EXPECT_EQ(values["mse"], 54.0);
}

TEST(Metrics, AValueThatIsNoNumberShows) {
    auto prediction = noise(1, 6);
    prediction[0][1][0][3][3] = std::numeric_limits<float>::quiet_NaN();
    const auto values = in_batches(prediction, noise(1, 7), 1);
    EXPECT_TRUE(std::isnan(values["mse"]));
    EXPECT_TRUE(std::isnan(values["ssim"]));
    EXPECT_TRUE(std::isnan(values["psnr"]));
    EXPECT_FALSE(std::isnan(values.of("mse").per_frame[0]));
    EXPECT_FALSE(std::isnan(values.of("mse").per_frame[2]));
}

TEST(Metrics, FramesThatHoldNanAreCounted) {
    auto x = torch::rand({2, 3, 1, 8, 8});
    const auto truth = torch::rand({2, 3, 1, 8, 8});
    x[0][1][0][2][2] = std::nan("");
    x[1][0][0][2][2] = std::nan("");
    x[1][0][0][3][2] = std::nan("");
    MetricAccumulator metrics;
    metrics.add(x, truth);
    EXPECT_EQ(metrics.value().nan_frames, 2);
    metrics.reset();
    metrics.add(truth, truth);
    EXPECT_EQ(metrics.value().nan_frames, 0);
}

TEST(Metrics, ResetStartsAnew) {
    MetricAccumulator metrics;
    metrics.add(noise(2, 8), noise(2, 9));
    metrics.reset();
    metrics.add(torch::zeros({1, 1, 1, 8, 8}), torch::ones({1, 1, 1, 8, 8}));
    EXPECT_EQ(metrics.value()["mse"], 64.0);
    EXPECT_EQ(metrics.value().sequences, 1);
}

TEST(Metrics, SayWhatDoesNotFit) {
    const auto x = torch::zeros({1, 2, 3, 8, 8});
    EXPECT_THAT(error_of([&] {
                    MetricAccumulator().add(x, torch::zeros({1, 2, 3, 8, 9}));
                }),
                HasSubstr("prediction [1, 2, 3, 8, 8] and truth [1, 2, 3, 8, 9]"));
    EXPECT_THAT(error_of([&] { MetricAccumulator().add(x[0], x[0]); }), HasSubstr("[B,T,C,H,W]"));
    EXPECT_THAT(error_of([&] { MetricAccumulator().add(x.to(torch::kInt32), x); }),
                HasSubstr("floating-point values"));
    EXPECT_THAT(error_of([] { MetricAccumulator().value(); }), HasSubstr("no sequences"));
    EXPECT_THAT(error_of([&] {
                    MetricAccumulator metrics;
                    metrics.add(x, x);
                    metrics.add(x.slice(1, 0, 1), x.slice(1, 0, 1));
                }),
                HasSubstr("[1, 3, 8, 8] after sequences of [2, 3, 8, 8]"));
    MetricOptions two_names;
    two_names.channel_names = {"a", "b"};
    EXPECT_THAT(error_of([&] { MetricAccumulator(two_names).add(x, x); }), HasSubstr("3 channels"));
    MetricOptions only_mean;
    only_mean.mean = 0.5;
    EXPECT_THAT(error_of([&] { MetricAccumulator{only_mean}; }),
                HasSubstr("mean and std require each other"));
    EXPECT_THAT(error_of([] { parse_ssim_mode("gauss"); }), HasSubstr("openstl or standard"));
}

}  // namespace
}  // namespace stl
