#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "stl/core/error.h"
#include "stl/render/canvas.h"
#include "stl/render/colormap.h"
#include "stl/render/comparison.h"
#include "stl/render/font.h"
#include "stl/render/strips.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Color at(const Image& image, int y, int x) {
    return {image.at(y, x, 0), image.at(y, x, 1), image.at(y, x, 2)};
}

bool same_color(Color a, Color b) {
    return a.r == b.r && a.g == b.g && a.b == b.b;
}

/// How often `part` stands in `image`, pixel for pixel.
int occurrences(const Image& image, const Image& part) {
    int found = 0;
    for (int y = 0; y + part.height <= image.height; ++y) {
        for (int x = 0; x + part.width <= image.width; ++x) {
            bool same = true;
            for (int v = 0; v < part.height && same; ++v) {
                same = std::equal(part.row(v), part.row(v) + part.row_size(), image.row(y + v) + 3 * x);
            }
            found += same ? 1 : 0;
        }
    }
    return found;
}

TEST(Font, EveryCharacterIsDrawnAndNoTwoAreAlike) {
    std::set<std::string> seen;
    for (char c = ' '; c <= '~'; ++c) {
        Image image = make_canvas(glyph_height, glyph_advance, {});
        draw_text(image, 0, 0, std::string(1, c), {255, 255, 255});
        EXPECT_TRUE(seen.emplace(image.pixels.begin(), image.pixels.end()).second)
            << "'" << c << "' looks like another";
        for (int y = 0; y < glyph_height; ++y)
            EXPECT_EQ(image.at(y, glyph_advance - 1), 0) << c;  // room between letters
    }
    EXPECT_EQ(seen.size(), 95U);
}

TEST(Font, SizesAndFitting) {
    EXPECT_EQ(text_width(""), 0);
    EXPECT_EQ(text_width("abc"), 17);
    EXPECT_EQ(text_width("abc", 2), 34);
    EXPECT_EQ(fit_text("prediction", 100), "prediction");
    const std::string cut = fit_text("prediction", 40);
    EXPECT_EQ(cut, "pred..");
    EXPECT_LE(text_width(cut), 40);
    EXPECT_EQ(fit_text("prediction", 3), "..");
    // Drawing outside of the picture is no error.
    Image image = make_canvas(5, 5, {});
    draw_text(image, -8, -3, "mm\xc3\xa4", {255, 255, 255});
    draw_text(image, 4, 4, "mm", {255, 255, 255}, 3);
}

TEST(HeatColor, LightnessRisesInEqualSteps) {
    float last = perceived_lightness(heat_color(0));
    EXPECT_LT(last, 0.13F);
    for (int i = 1; i <= 16; ++i) {
        const float lightness = perceived_lightness(heat_color(static_cast<float>(i) / 16));
        EXPECT_NEAR(lightness - last, 0.86F / 16, 0.012F) << i;
        last = lightness;
    }
    EXPECT_TRUE(same_color(heat_color(-3), heat_color(0)));
    EXPECT_TRUE(same_color(heat_color(7), heat_color(1)));
    EXPECT_TRUE(same_color(heat_color(std::nanf("")), Color{255, 255, 255}));
}

TEST(Tiles, ValuesBecomeBrightness) {
    const std::vector<float> gray{0, 0.5F, 1, 2};
    const Image tile = frame_tile(gray, {1, 1, 2, 2}, {});
    EXPECT_THAT(tile.pixels, ElementsAre(0, 0, 0, 128, 128, 128, 255, 255, 255, 255, 255, 255));
    const std::vector<float> rgb{1, 0, 0, 1, 0.2F, 0.4F};  // planes: R 1 0, G 0 1, B .2 .4
    EXPECT_THAT(frame_tile(rgb, {1, 3, 1, 2}, {}).pixels, ElementsAre(255, 0, 51, 0, 255, 102));
    const std::vector<float> flow{-1, 1, 3, 5};
    EXPECT_THAT(frame_tile(flow, {1, 2, 1, 2}, {-1, 1, 0}).pixels, ElementsAre(0, 0, 0, 255, 255, 255));
    EXPECT_THAT(frame_tile(flow, {1, 2, 1, 2}, {1, 5, 1}).pixels, ElementsAre(128, 128, 128, 255, 255, 255));
    EXPECT_THAT(frame_tile(std::vector{std::nanf("")}, {1, 1, 1, 1}, {}).pixels, ElementsAre(0, 0, 0));
    EXPECT_THAT(error_of([&] { frame_tile(gray, {1, 1, 3, 3}, {}); }), HasSubstr("expected 9"));
}

TEST(Tiles, ErrorsAreMeanOverChannelsAndScaled) {
    const std::vector<float> a{0, 0, 1, 1}, b{0.2F, 0, 0.6F, 1};  // 2 channels of 1x2: mean |d| = 0.3, 0
    const Image tile = error_tile(a, b, {1, 2, 1, 2}, {}, 0.5F);
    EXPECT_TRUE(same_color(at(tile, 0, 0), heat_color(0.6F)));
    EXPECT_TRUE(same_color(at(tile, 0, 1), heat_color(0)));
}

TEST(Tiles, ErrorScaleIsARoundNumberAboveMostErrors) {
    ErrorScale scale;
    EXPECT_FLOAT_EQ(scale.top(), 1);
    const std::vector<float> zero(1000, 0.0F);
    std::vector<float> errors(1000, 0.13F);
    errors[0] = 0.9F;  // an outlier
    scale.add(zero, errors, {});
    EXPECT_FLOAT_EQ(scale.top(), 0.2F);
    ErrorScale large;
    large.add(zero, std::vector<float>(1000, 30), {0, 40, 0});
    EXPECT_FLOAT_EQ(large.top(), 1);
}

/// Two sequences of 2 + 3 frames of 1x4x6, every frame of its own pattern.
struct Example {
    static constexpr SequenceShape shape{5, 1, 4, 6};
    std::vector<std::vector<float>> whole, predicted;
    std::vector<PanelSequence> sequences;

    explicit Example(int models = 1) {
        for (int n = 0; n < 2; ++n) {
            auto& values = whole.emplace_back();
            for (int i = 0; i < 5 * 24; ++i)
                values.push_back(static_cast<float>((i * 37 + n * 91) % 101) / 100);
            auto& guess = predicted.emplace_back();
            for (int i = 0; i < 3 * 24; ++i)
                guess.push_back(static_cast<float>((i * 53 + n * 17) % 97) / 100);
        }
        for (std::size_t n = 0; n < 2; ++n) {
            const std::span<const float> all(whole[n]);
            PanelSequence s{"clip", all.first(48), all.subspan(48), {}};
            for (int m = 0; m < models; ++m) {
                s.models.push_back(
                    {models > 1 ? "model" : "", predicted[n], {1, 22, 333}, {0.5, 0.25, 0.125}});
            }
            sequences.push_back(s);
        }
    }
    Image tile(std::span<const float> frames, std::int64_t k, int scale) const {
        return enlarge(frame_tile(frame_of(frames, k, shape), shape, {}), scale);
    }
};

TEST(Comparison, ShowsInputThenTruthPredictionAndError) {
    const Example e;
    PanelOptions options;
    options.scale = 3;
    options.error_top = 0.5F;
    const Comparison comparison(e.sequences, Example::shape, options);
    ASSERT_EQ(comparison.frames(), 5);
    const Image second = comparison.frame(1);
    EXPECT_EQ(second.width % 2, 0);
    EXPECT_EQ(second.height % 2, 0);
    for (std::size_t n = 0; n < 2; ++n) {
        EXPECT_EQ(occurrences(second, e.tile(e.sequences[n].input, 1, 3)), 1);
        EXPECT_EQ(occurrences(second, e.tile(e.sequences[n].truth, 0, 3)), 0);
    }
    const Image fourth = comparison.frame(3);
    EXPECT_EQ(fourth.width, second.width);
    EXPECT_EQ(fourth.height, second.height);
    for (std::size_t n = 0; n < 2; ++n) {
        const auto& s = e.sequences[n];
        EXPECT_EQ(occurrences(fourth, e.tile(s.truth, 1, 3)), 1);
        EXPECT_EQ(occurrences(fourth, e.tile(s.models[0].frames, 1, 3)), 1);
        const Image error = error_tile(frame_of(s.models[0].frames, 1, Example::shape),
                                       frame_of(s.truth, 1, Example::shape), Example::shape, {}, 0.5F);
        EXPECT_EQ(occurrences(fourth, enlarge(error, 3)), 1);
        EXPECT_EQ(occurrences(fourth, e.tile(s.input, 1, 3)), 0);  // dimmed by now
    }
    EXPECT_EQ(Comparison(e.sequences, Example::shape, options).frame(3), fourth);
}

TEST(Comparison, TextTellsFrameNumbersAndHeadings) {
    const Example e;
    PanelOptions options;
    options.scale = 30;  // text is drawn twice as large on large panels
    options.title = "a title";
    const Comparison comparison(e.sequences, Example::shape, options);
    const auto contains = [&](const Image& image, const std::string& text, Color color) {
        Image words = make_canvas(2 * glyph_height, text_width(text, 2), options.theme.background);
        draw_text(words, 0, 0, text, color, 2);
        return occurrences(image, words);
    };
    const Image image = comparison.frame(3);
    EXPECT_EQ(contains(image, "a title", options.theme.text), 1);
    EXPECT_EQ(contains(image, "frame 4/5", options.theme.text), 1);
    EXPECT_EQ(contains(image, "prediction", options.theme.text),
              contains(image, "truth", options.theme.text));
    EXPECT_GE(contains(image, "prediction", options.theme.text), 1);
    EXPECT_EQ(contains(image, "mse 22.0", options.theme.faint), 2);
    EXPECT_EQ(contains(image, "ssim 0.250", options.theme.faint), 2);
    EXPECT_EQ(contains(comparison.frame(0), "frame 1/5", options.theme.text), 1);
    EXPECT_EQ(contains(comparison.frame(0), "mse 1.000", options.theme.faint), 0);
}

TEST(Comparison, GridsModelsAndParts) {
    const Example two(2);
    PanelOptions options;
    options.scale = 2;
    options.columns = 1;
    const Image tall = Comparison(two.sequences, Example::shape, options).frame(4);
    options.columns = 2;
    const Image wide = Comparison(two.sequences, Example::shape, options).frame(4);
    EXPECT_GT(wide.width, tall.width);
    EXPECT_LT(wide.height, tall.height);
    EXPECT_EQ(occurrences(wide, two.tile(two.predicted[0], 2, 2)), 2);  // once a model
    options.error = false;
    EXPECT_LT(Comparison(two.sequences, Example::shape, options).frame(4).width, wide.width);
    // Sequences alone, and predictions without a truth.
    Example e;
    for (auto& s : e.sequences) s = {"", e.whole[0], {}, {}};
    const Comparison plain(e.sequences, Example::shape, {});
    EXPECT_EQ(plain.frames(), 5);
    EXPECT_EQ(plain.frame(4).channels, 3);
    for (std::size_t n = 0; n < 2; ++n) e.sequences[n].models.push_back({"", e.predicted[n], {}, {}});
    EXPECT_EQ(Comparison(e.sequences, Example::shape, {}).frames(), 8);
}

TEST(Comparison, FillsAScreenWithoutOverflowingIt) {
    const SequenceShape shape{20, 1, 64, 64};
    const std::vector<float> values(static_cast<std::size_t>(shape.elements()), 0.5F);
    for (const std::size_t count : {1U, 2U, 8U, 25U}) {
        std::vector<PanelSequence> sequences(count);
        for (auto& s : sequences) {
            s.name.assign(1, 'x');
            s.input = std::span<const float>(values).first(10 * 4096);
            s.truth = std::span<const float>(values).subspan(10 * 4096);
            s.models.push_back({"", s.truth, {}, {}});
        }
        const Image image = Comparison(sequences, shape, {}).frame(0);
        EXPECT_LE(image.width, 1920) << count;
        EXPECT_LE(image.height, 1080) << count;
        EXPECT_GE(image.width * image.height, 1920 * 1080 / 4) << count;
    }
}

TEST(Comparison, RefusesWhatDoesNotFitTogether) {
    Example e;
    EXPECT_THAT(error_of([&] { Comparison({}, Example::shape, {}); }), HasSubstr("no sequences"));
    EXPECT_THAT(error_of([&] {
                    Comparison(e.sequences, {5, 1, 7, 7}, {});
                }),
                HasSubstr("not a whole number"));
    PanelOptions options;
    options.range = {1, 1, 0};
    EXPECT_THAT(error_of([&] { Comparison(e.sequences, Example::shape, options); }),
                HasSubstr("can't be shown"));
    EXPECT_THAT(error_of([&] { Comparison(e.sequences, Example::shape, {}).frame(5); }),
                HasSubstr("frame 5 does not exist, there are 5"));
    e.sequences[1].models[0].mse = {1};
    EXPECT_THAT(error_of([&] { Comparison(e.sequences, Example::shape, {}); }),
                HasSubstr("1 scores for 3 frames"));
    e.sequences[1].models[0].frames = e.sequences[1].models[0].frames.first(24);
    EXPECT_THAT(error_of([&] { Comparison(e.sequences, Example::shape, {}); }),
                HasSubstr("1 predicted frames, expected 3"));
    EXPECT_THAT(error_of([] { find_theme("drak"); }), HasSubstr("did you mean 'dark'"));
}

TEST(Strips, AFigureHasARowPerModelAndAColumnPerStep) {
    const Example e(2);
    PanelOptions options;
    const auto strips = figure_strips(e.sequences[0], Example::shape, options);
    std::vector<std::string> labels;
    for (const auto& s : strips) labels.push_back(s.label);
    ASSERT_EQ(labels.size(), 6U);
    EXPECT_EQ(labels[0], "input");
    EXPECT_EQ(labels[1], "truth");
    EXPECT_EQ(labels[4], "model");
    EXPECT_THAT(strips[0].captions, ElementsAre("t=1", "t=2"));
    EXPECT_THAT(strips[1].captions, ElementsAre("t=3", "t=4", "t=5"));
    EXPECT_TRUE(strips[2].captions.empty());
    const Image figure = draw_strips(strips, {light_theme, 5, "title"});
    EXPECT_EQ(occurrences(figure, e.tile(e.sequences[0].truth, 2, 5)), 1);
    EXPECT_EQ(occurrences(figure, e.tile(e.predicted[0], 0, 5)), 2);
    options.error = false;
    const auto few = figure_strips(e.sequences[0], Example::shape, options, 2);
    EXPECT_EQ(few.size(), 4U);
    EXPECT_THAT(few[1].captions, ElementsAre("t=3", "t=5"));
    EXPECT_THAT(error_of([] { draw_strips({}, {}); }), HasSubstr("no frames"));
}

TEST(Strips, SvgHoldsPicturesAndText) {
    const Example e;
    auto strips = figure_strips(e.sequences[0], Example::shape, {});
    strips[0].label = "a<b & c";
    const std::string svg = strips_svg(strips, {});
    EXPECT_THAT(svg, HasSubstr("a&lt;b &amp; c"));
    EXPECT_THAT(svg, HasSubstr("data:image/png;base64,iVBORw0KGgo"));
    std::size_t images = 0;
    for (std::size_t i = 0; (i = svg.find("<image", i)) != std::string::npos; ++i) ++images;
    EXPECT_EQ(images, 2U + 3U * 3U);
}

}  // namespace
}  // namespace stl
