// What becomes of values that are not 0 to 1, from a file to predictions.
#include <cmath>

#include "stl/formats/sequences.h"
#include "stl/media/png.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Temperatures: a warm spot that moves over a cold field.
class RangeJourney : public ProgramTest {
  protected:
    static constexpr std::int64_t rows = 6, frames = 5, side = 16;

    void write(const std::string& name, bool with_range) const {
        Json attributes = Json::object();
        if (with_range) attributes["range"] = {250, 310};
        auto writer = create_sequences((folder_ / name).string(), rows, {frames, 1, side, side},
                                       {.dtype = DType::f32, .attributes = attributes});
        std::vector<float> values;
        for (std::int64_t n = 0; n < rows; ++n) {
            for (std::int64_t t = 0; t < frames; ++t) {
                for (std::int64_t i = 0; i < side * side; ++i) {
                    const auto x = static_cast<double>(i % side - n - t),
                               y = static_cast<double>(i / side - 8);
                    values.push_back(static_cast<float>(260 + 40 * std::exp(-(x * x + y * y) / 8)));
                }
            }
        }
        writer->append(std::span<const float>(values));
        writer->finish();
    }

    void train(const std::string& data) const {
        write_json(
            folder_ / "e.json",
            {{"dataset", {{"name", "file"}, {"path", data}, {"input_frames", 3}, {"output_frames", 2}}},
             {"model", {{"translator", "gsta"}, {"hid_S", 4}, {"hid_T", 8}, {"N_S", 2}, {"N_T", 2}}},
             {"train", {{"epochs", 30}, {"batch_size", 2}, {"lr", 0.01}, {"threads", 1}}}});
        EXPECT_THAT(good("train e.json --run run").err,
                    HasSubstr("the network sees the values 250 to 310 as 0 to 1"));
    }
};

TEST_F(RangeJourney, BelongsToTheDataTheRunAndWhatComesOut) {
    write("kelvin.h5", true);
    EXPECT_EQ(json("inspect kelvin.h5 --json")["range"], (Json{250, 310}));
    EXPECT_THAT(good("inspect kelvin.h5").out, HasSubstr("range: 250 to 310 stand for black and white"));

    const auto same = json("metrics kelvin.h5 kelvin.h5 --json");
    EXPECT_EQ(same["ssim"], 1);
    EXPECT_EQ(same["range"], (Json{250, 310}));
    EXPECT_EQ(json("metrics kelvin.h5 kelvin.h5 --json --range 200,300")["range"], (Json{200, 300}));

    good("import kelvin.h5 --length 5 --output imported.h5");
    EXPECT_EQ(json("inspect imported.h5 --json")["range"], (Json{250, 310}));

    train("kelvin.h5");
    const auto evaluation = json("evaluate run --data kelvin.h5 --json");
    EXPECT_EQ(evaluation["range"], (Json{250, 310}));
    EXPECT_GT(evaluation["ssim"], 0.3);  // a network that sees numbers around 280 learns nothing so soon

    const auto predicted = good("predict run --input kelvin.h5 --output next.h5");
    EXPECT_THAT(predicted.err, Not(HasSubstr("far outside")));
    EXPECT_EQ(json("inspect next.h5 --json")["range"], (Json{250, 310}));
    const auto statistics = json("inspect next.h5 --json")["statistics"];
    EXPECT_GT(statistics["mean"], 230);
    EXPECT_LT(statistics["mean"], 330);

    // As pictures: neither all black nor all white.
    good("predict run --input kelvin.h5 --output next");
    const auto picture = to_gray(read_png(folder_ / "next/frame_0000.png"));
    double mean = 0;
    for (const auto value : picture.pixels) mean += value / static_cast<double>(picture.pixels.size());
    EXPECT_GT(mean, 5);
    EXPECT_LT(mean, 250);
}

TEST_F(RangeJourney, PicturesAreBroughtToIt) {
    write("kelvin.h5", true);
    train("kelvin.h5");
    fs::create_directories(folder_ / "clip");
    for (int k = 0; k < 3; ++k) write_png(folder_ / fmt::format("clip/{}.png", k), Image(16, 16, 1, 43));
    const auto outcome = good("predict run --input clip --output clip.h5");
    EXPECT_THAT(outcome.err, HasSubstr("8-bit frames are scaled to 250 to 310 (black to white)"));
    const auto mean = json("inspect clip.h5 --json")["statistics"]["mean"].get<double>();
    EXPECT_GT(mean, 230);
    EXPECT_LT(mean, 330);
}

TEST_F(RangeJourney, WithoutOneThereIsALineOfReason) {
    write("plain.h5", false);
    EXPECT_EQ(json("inspect plain.h5 --json")["range"], nullptr);
    const auto outcome = good("metrics plain.h5 plain.h5 --json");
    EXPECT_EQ(parse_json(outcome.out, "metrics")["ssim"], nullptr);
    EXPECT_THAT(outcome.err, HasSubstr("--range LOW,HIGH"));
    refused("import plain.h5 --length 5 --output x.h5 --range 3,1", 2,
            "--range 3,1: expected A,B with A < B");
}

}  // namespace
}  // namespace stl
