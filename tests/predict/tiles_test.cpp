// Tiles: the same as the whole frame for a network that looks no further than the overlap allows.
#include "stl/predict/tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/core/error.h"

namespace stl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// A network that sees `radius` pixels around each of its own: a sum with fixed weights, at the tile's
/// borders over zeros. Two frames out.
PredictFunction local_network(std::int64_t radius) {
    torch::manual_seed(1);
    const auto side = 2 * radius + 1;
    const auto weight = torch::randn({2 * 3, 4 * 3, side, side}) / double(side);
    return [weight, radius](const torch::Tensor& x) {
        const auto y = torch::conv2d(x.flatten(1, 2), weight, {}, 1, radius);
        return y.view({x.size(0), 2, 3, x.size(3), x.size(4)});
    };
}

/// As `network`, and fails where a tile has another size.
PredictFunction of_size(PredictFunction network, std::int64_t height, std::int64_t width) {
    return [=](const torch::Tensor& x) {
        EXPECT_EQ(x.size(3), height);
        EXPECT_EQ(x.size(4), width);
        return network(x);
    };
}

TEST(Tiles, CountOneTogetherEverywhere) {
    for (const std::int64_t length : {5, 16, 17, 23, 24, 31, 40, 57, 100, 1080}) {
        for (const std::int64_t overlap : {0, 1, 4, 7, 8}) {
            for (const std::int64_t align : {1, 4}) {
                const auto axis = plan_tiles(length, 16, overlap, align);
                EXPECT_GE(axis.length, length);
                EXPECT_LT(axis.length, std::max<std::int64_t>(length, 16) + align * std::ssize(axis.begin));
                std::vector<float> sum(static_cast<std::size_t>(axis.length));
                for (std::size_t i = 0; i < axis.begin.size(); ++i) {
                    EXPECT_EQ(axis.begin[i] % align, 0);
                    for (std::size_t k = 0; k < 16; ++k) {
                        sum[static_cast<std::size_t>(axis.begin[i]) + k] += axis.weights[i][k];
                    }
                }
                EXPECT_THAT(sum, testing::Each(testing::FloatNear(1, 1e-6F)))
                    << length << " overlap " << overlap << " align " << align;
            }
        }
    }
}

TEST(Tiles, OneFadesIntoTheNext) {
    const auto axis = plan_tiles(24, 16, 8, 1);
    EXPECT_THAT(axis.begin, ElementsAre(0, 8));
    const auto& second = axis.weights[1];
    EXPECT_EQ(second[0], 0);
    EXPECT_EQ(second[1], 0);
    EXPECT_EQ(second[6], 1);
    EXPECT_EQ(second[7], 1);
    EXPECT_TRUE(std::is_sorted(second.begin(), second.end()));
    EXPECT_NEAR(second[3] + second[4], 1, 1e-6);
}

TEST(Tiles, EqualTheWholeFrameAsFarAsTheNetworkSees) {
    const auto network = local_network(2);
    for (const auto& [height, width] : {std::pair{37, 50}, {16, 16}, {20, 90}}) {
        const auto x = torch::rand({2, 4, 3, height, width});
        const auto whole = network(x);
        const auto y = tiled(of_size(network, 16, 20), {16, 20, 8, 1, 3})(x);
        ASSERT_EQ(y.sizes(), whole.sizes());
        // At the frame's own right and lower border tiles may see padding where the whole frame sees zeros.
        const auto inside = [&](const torch::Tensor& t) {
            return t.narrow(3, 2, height - 4).narrow(4, 2, width - 4);
        };
        EXPECT_TRUE(torch::allclose(inside(y), inside(whole), 0, 1e-5)) << height << "x" << width;
    }
}

TEST(Tiles, ASeamIsSmoothWhereTheNetworkSeesFurther) {
    // The mean of the tile: each tile has its own, as with GroupNorm.
    const PredictFunction mean = [](const torch::Tensor& x) {
        return x.mean({3, 4}, true).expand_as(x).contiguous();
    };
    const auto x = torch::arange(64, torch::kFloat32).view({1, 1, 1, 1, 64}).expand({1, 1, 1, 16, 64});
    const auto y = tiled(mean, {16, 16, 8, 1, 1})(x)[0][0][0][0];
    const auto steps = y.narrow(0, 1, 63) - y.narrow(0, 0, 63);
    EXPECT_GE(steps.min().item<float>(), -1e-4);
    EXPECT_LT(steps.max().item<float>(), 4) << "tiles 8 apart: a hard seam would be a step of 8";
}

TEST(Tiles, SmallFramesArePaddedAndWrongOverlapsRefused) {
    const auto x = torch::rand({1, 4, 3, 9, 11});
    const auto y = tiled(of_size(local_network(0), 16, 16), {16, 16, {}, 1, 1})(x);
    EXPECT_TRUE(torch::allclose(y, local_network(0)(x), 0, 1e-6));
    EXPECT_THAT(
        [] {
            tiled(local_network(0), {16, 24, 9, 1, 1});
        },
        ThrowsMessage<Error>(HasSubstr("an overlap of 9 pixels: of tiles of 24x16 it is half a side")));
    EXPECT_THROW(tiled(local_network(0), {16, 16, {}, 1, 1}, [] { return true; })(x), Interrupted);
}

}  // namespace
}  // namespace stl
