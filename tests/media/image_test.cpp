#include <gmock/gmock.h>

#include <cmath>

#include "stl/media/image.h"
#include "stl/media/natural_order.h"
#include "stl/media/resize.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// 2 rows, 3 columns: 1 2 3 / 4 5 6
Image counting() {
    Image image(2, 3, 1);
    for (int i = 0; i < 6; ++i) image.pixels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i + 1);
    return image;
}

TEST(Image, RefusesImpossibleSizes) {
    EXPECT_THAT(test::error_of([] { Image(0, 4, 1); }), HasSubstr("0x4"));
    EXPECT_THAT(test::error_of([] { Image(4, 4, 5); }), HasSubstr("5 channels"));
}

TEST(Image, GrayAndRgb) {
    Image rgba(1, 2, 4);
    rgba.pixels = {255, 0, 0, 255, 200, 200, 200, 0};
    EXPECT_THAT(to_rgb(rgba).pixels, ElementsAre(255, 0, 0, 0, 0, 0));
    EXPECT_THAT(to_gray(rgba).pixels, ElementsAre(76, 0));
    Image gray(1, 1, 1, 9);
    EXPECT_THAT(to_rgb(gray).pixels, ElementsAre(9, 9, 9));
}

TEST(Image, Turns) {
    EXPECT_THAT(oriented(counting(), {false, true, false}).pixels, ElementsAre(3, 2, 1, 6, 5, 4));
    EXPECT_THAT(oriented(counting(), {false, false, true}).pixels, ElementsAre(4, 5, 6, 1, 2, 3));
    const Image transposed = oriented(counting(), {true, false, false});
    EXPECT_EQ(transposed.height, 3);
    EXPECT_THAT(transposed.pixels, ElementsAre(1, 4, 2, 5, 3, 6));
    EXPECT_THAT(oriented(counting(), {true, true, false}).pixels,
                ElementsAre(4, 1, 5, 2, 6, 3));  // clockwise
}

TEST(Image, EnlargedPixelsAreCrisp) {
    const Image big = enlarge(counting(), 2);
    EXPECT_EQ(big.width, 6);
    EXPECT_THAT(std::vector(big.row(1), big.row(1) + 6), ElementsAre(1, 1, 2, 2, 3, 3));
    EXPECT_THAT(std::vector(big.row(2), big.row(2) + 6), ElementsAre(4, 4, 5, 5, 6, 6));
}

TEST(NaturalOrder, NumbersCountAsNumbers) {
    EXPECT_TRUE(natural_less("frame2.png", "frame10.png"));
    EXPECT_FALSE(natural_less("frame10.png", "frame2.png"));
    EXPECT_TRUE(natural_less("a9b2", "a9b10"));
    EXPECT_TRUE(natural_less("99999999999999999999998", "99999999999999999999999"));  // beyond 64 bits
    EXPECT_TRUE(natural_less("a", "a1"));
    EXPECT_FALSE(natural_less("x", "x"));
    EXPECT_NE(natural_less("x01", "x1"), natural_less("x1", "x01"));
}

TEST(Resize, AreaIsTheMeanOfWhatAPixelCovers) {
    // 5 -> 2: each output covers 2.5 samples.
    Image line(1, 5, 1);
    line.pixels = {10, 20, 30, 40, 50};
    EXPECT_THAT(resize(line, 1, 2).pixels, ElementsAre(18, 42));  // (10+20+15)/2.5, (15+40+50)/2.5
    Image block(4, 4, 3);
    for (std::size_t i = 0; i < block.pixels.size(); ++i) block.pixels[i] = static_cast<std::uint8_t>(i);
    EXPECT_THAT(resize(block, 1, 1).pixels, ElementsAre(23, 24, 25));  // means 22.5, 23.5, 24.5, rounded
}

/// Rows that count alike are added up as integers: here so many that 16 bits don't hold them, beside odd
/// ones.
TEST(Resize, TallPicturesAreExact) {
    for (const int height : {64, 257, 258, 300, 1080, 2000}) {
        Image tall(height, 40, 1);
        for (std::size_t i = 0; i < tall.pixels.size(); ++i)
            tall.pixels[i] = static_cast<std::uint8_t>(i % 40 < 20 ? 255 : i * 7919 % 256);
        for (const int rows : {1, 3, 60}) {
            std::vector<float> scratch, out(static_cast<std::size_t>(rows) * 40);
            resize_plane({tall.pixels.data(), 40, height, 40}, make_taps(height, 0, height, rows),
                         make_taps(40, 0, 40, 40), scratch, out);
            for (int r = 0; r < rows; ++r) {
                const double from = static_cast<double>(r) * height / rows,
                             to = static_cast<double>(r + 1) * height / rows;
                for (int x = 0; x < 40; x += 13) {
                    double sum = 0;
                    for (int y = static_cast<int>(from);
                         y < std::min<int>(height, static_cast<int>(std::ceil(to))); ++y)
                        sum +=
                            tall.at(y, x) * std::max(0.0, std::min(to, y + 1.0) - std::max(from, double(y)));
                    EXPECT_NEAR(out[static_cast<std::size_t>(r * 40 + x)], sum / (to - from), 2e-3)
                        << height << " " << r;
                }
            }
        }
    }
}

TEST(Resize, GrowsByLinearInterpolation) {
    Image line(1, 2, 1);
    line.pixels = {0, 100};
    EXPECT_THAT(resize(line, 1, 4).pixels, ElementsAre(0, 25, 75, 100));
    EXPECT_THAT(resize(line, 2, 2).pixels, ElementsAre(0, 100, 0, 100));
}

TEST(Resize, KeepsAConstantPictureConstant) {
    for (const auto& [h, w] : {std::pair{7, 13}, {64, 64}, {31, 200}, {1, 1}}) {
        const Image out = resize(Image(57, 91, 1, 201), h, w);
        EXPECT_EQ(out, Image(h, w, 1, 201)) << h << "x" << w;
    }
}

TEST(Resize, WideSamplesCropAndStride) {
    // 16-bit samples, two interleaved components, every second row.
    const std::vector<std::uint16_t> values{1000, 1, 2000, 2, 3000, 3, 4000, 4, 0, 0, 0, 0, 0, 0, 0, 0,
                                            3000, 5, 4000, 6, 5000, 7, 6000, 8, 0, 0, 0, 0, 0, 0, 0, 0};
    const PlaneView view{reinterpret_cast<const std::uint8_t*>(values.data()), 32, 2, 4, 2, true};
    std::vector<float> scratch, out(2);
    resize_plane(view, make_taps(2, 0, 2, 1), make_taps(4, 1, 3, 1), scratch, out);
    EXPECT_THAT(out, ElementsAre(3500, 4.5F));
}

}  // namespace
}  // namespace stl
