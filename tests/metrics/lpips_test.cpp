#include "stl/metrics/lpips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stl/core/error.h"
#include "stl/metrics/metrics.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using test::error_of;
using ::testing::HasSubstr;

constexpr int places[] = {0, 3, 6, 8, 10};
constexpr std::int64_t kernels[] = {11, 5, 3, 3, 3};
constexpr std::int64_t strides[] = {4, 1, 1, 1, 1};
constexpr std::int64_t paddings[] = {2, 2, 1, 1, 1};
constexpr std::int64_t widths[] = {4, 5, 6, 5, 3};

struct Weights {
    NamedTensors alexnet, heads;
};

Weights small_weights() {
    torch::manual_seed(11);
    Weights w;
    std::int64_t channels = 3;
    for (int i = 0; i < 5; ++i) {
        const auto name = "features." + std::to_string(places[i]);
        w.alexnet.emplace_back(name + ".weight",
                               torch::randn({widths[i], channels, kernels[i], kernels[i]}) * 0.2);
        w.alexnet.emplace_back(name + ".bias", torch::randn({widths[i]}) * 0.1);
        channels = widths[i];
        w.heads.emplace_back("lin" + std::to_string(i) + ".model.1.weight", torch::rand({1, channels, 1, 1}));
    }
    // What the original file holds beside the features.
    w.alexnet.emplace_back("classifier.6.bias", torch::zeros({10}));
    return w;
}

/// One image's features as nested loops in double.
struct Map {
    std::int64_t channels, height, width;
    std::vector<double> v;
    double at(std::int64_t c, std::int64_t y, std::int64_t x) const {
        return y < 0 || x < 0 || y >= height || x >= width
                   ? 0.0
                   : v[static_cast<std::size_t>((c * height + y) * width + x)];
    }
};

Map convolve(const Map& in, const torch::Tensor& weight, const torch::Tensor& bias, std::int64_t stride,
             std::int64_t padding) {
    const auto k = weight.size(2);
    Map out{weight.size(0),
            (in.height + 2 * padding - k) / stride + 1,
            (in.width + 2 * padding - k) / stride + 1,
            {}};
    const auto w = weight.accessor<float, 4>();
    for (std::int64_t o = 0; o < out.channels; ++o)
        for (std::int64_t y = 0; y < out.height; ++y)
            for (std::int64_t x = 0; x < out.width; ++x) {
                double sum = bias[o].item<double>();
                for (std::int64_t c = 0; c < in.channels; ++c)
                    for (std::int64_t a = 0; a < k; ++a)
                        for (std::int64_t b = 0; b < k; ++b)
                            sum +=
                                w[o][c][a][b] * in.at(c, y * stride + a - padding, x * stride + b - padding);
                out.v.push_back(std::max(0.0, sum));
            }
    return out;
}

Map pool(const Map& in) {
    Map out{in.channels, (in.height - 3) / 2 + 1, (in.width - 3) / 2 + 1, {}};
    for (std::int64_t c = 0; c < out.channels; ++c)
        for (std::int64_t y = 0; y < out.height; ++y)
            for (std::int64_t x = 0; x < out.width; ++x) {
                double largest = in.at(c, 2 * y, 2 * x);
                for (int a = 0; a < 3; ++a)
                    for (int b = 0; b < 3; ++b) largest = std::max(largest, in.at(c, 2 * y + a, 2 * x + b));
                out.v.push_back(largest);
            }
    return out;
}

std::vector<Map> features(const torch::Tensor& image, const Weights& w) {
    const double shift[] = {-0.030, -0.088, -0.188}, scale[] = {0.458, 0.448, 0.450};
    Map x{3, image.size(1), image.size(2), {}};
    for (int c = 0; c < 3; ++c)
        for (std::int64_t i = 0; i < x.height; ++i)
            for (std::int64_t j = 0; j < x.width; ++j)
                x.v.push_back((2 * image[image.size(0) == 1 ? 0 : c][i][j].item<double>() - 1 - shift[c]) /
                              scale[c]);
    std::vector<Map> out;
    for (std::size_t i = 0; i < 5; ++i) {
        if (i == 1 || i == 2) x = pool(x);
        x = convolve(x, w.alexnet[2 * i].second, w.alexnet[2 * i + 1].second, strides[i], paddings[i]);
        out.push_back(x);
    }
    return out;
}

double distance_by_loops(const torch::Tensor& a, const torch::Tensor& b, const Weights& w) {
    const auto fa = features(a, w), fb = features(b, w);
    double total = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        double sum = 0;
        for (std::int64_t y = 0; y < fa[i].height; ++y)
            for (std::int64_t x = 0; x < fa[i].width; ++x) {
                double na = 0, nb = 0;
                for (std::int64_t c = 0; c < fa[i].channels; ++c) {
                    na += fa[i].at(c, y, x) * fa[i].at(c, y, x);
                    nb += fb[i].at(c, y, x) * fb[i].at(c, y, x);
                }
                for (std::int64_t c = 0; c < fa[i].channels; ++c) {
                    const double d = fa[i].at(c, y, x) / (std::sqrt(na) + 1e-10) -
                                     fb[i].at(c, y, x) / (std::sqrt(nb) + 1e-10);
                    sum += w.heads[i].second[0][c][0][0].item<double>() * d * d;
                }
            }
        total += sum / static_cast<double>(fa[i].height * fa[i].width);
    }
    return total;
}

TEST(Lpips, MatchesLoopsWithSmallWeights) {
    const auto w = small_weights();
    const Lpips lpips(w.alexnet, w.heads);
    for (const std::int64_t channels : {1, 3}) {
        const auto a = torch::rand({2, channels, 40, 35}), b = torch::rand({2, channels, 40, 35});
        const auto ours = lpips.distance(a, b);
        for (std::int64_t i = 0; i < 2; ++i) {
            const double expected = distance_by_loops(a[i], b[i], w);
            EXPECT_GT(expected, 0.01);
            EXPECT_NEAR(ours[i].item<double>(), expected, 1e-5 * expected);
        }
        EXPECT_EQ(lpips.distance(a, a).abs().max().item<double>(), 0.0);
    }
}

TEST(Lpips, IsAColumnOfTheMetricsWhereWeightsAreGiven) {
    const auto w = small_weights();
    MetricOptions options;
    options.lpips = std::make_shared<const Lpips>(w.alexnet, w.heads);
    const auto prediction = torch::rand({2, 3, 1, 32, 32}) * 1.4 - 0.2,
               truth = torch::rand({2, 3, 1, 32, 32});
    MetricAccumulator metrics(options);
    metrics.add(prediction.slice(0, 0, 1), truth.slice(0, 0, 1));
    metrics.add(prediction.slice(0, 1, 2), truth.slice(0, 1, 2));
    const auto json = metrics.value().to_json(options);
    const auto all = options.lpips->distance(prediction.clamp(0, 1).flatten(0, 1), truth.flatten(0, 1))
                         .view({2, 3})
                         .mean(0);
    ASSERT_EQ(json["per_frame"]["lpips"].size(), 3U);
    for (std::int64_t t = 0; t < 3; ++t) {
        EXPECT_NEAR(json["per_frame"]["lpips"][static_cast<std::size_t>(t)], all[t].item<double>(), 1e-6);
    }
    EXPECT_NEAR(json["lpips"], all.mean().item<double>(), 1e-6);
}

TEST(Lpips, SaysWhatDoesNotFit) {
    auto w = small_weights();
    const Lpips lpips(w.alexnet, w.heads);
    EXPECT_THAT(error_of([&] {
                    lpips.distance(torch::rand({1, 2, 40, 40}), torch::rand({1, 2, 40, 40}));
                }),
                HasSubstr("2 channels"));
    EXPECT_THAT(error_of([&] {
                    lpips.distance(torch::rand({1, 1, 30, 40}), torch::rand({1, 1, 30, 40}));
                }),
                HasSubstr("too small"));
    EXPECT_THAT(error_of([&] { Lpips(w.heads, w.heads, "a.pth"); }),
                HasSubstr("a.pth: has no weight 'features.0.weight'"));
    w.heads[2].second = torch::zeros({1, 9, 1, 1});
    EXPECT_THAT(error_of([&] { Lpips(w.alexnet, w.heads, "a.pth", "b.pth"); }),
                HasSubstr("b.pth: lin2.model.1.weight is [1, 9, 1, 1], expected [1, 6, 1, 1]"));
}

}  // namespace
}  // namespace stl
