// Sources, sinks and the stream, with a network that is a plain function.
#include "stl/predict/predict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

#include "stl/core/error.h"
#include "stl/media/png.h"
#include "stl/media/video_reader.h"
#include "stl/media/video_writer.h"
#include "stl/predict/pictures.h"
#include "tests/support/notes.h"

namespace stl {
namespace {

using test::Notes;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Repeats the last input frame.
PredictFunction copy_last(std::int64_t frames) {
    return [frames](const torch::Tensor& x) {
        return x.narrow(1, x.size(1) - 1, 1).expand({-1, frames, -1, -1, -1}).contiguous();
    };
}

class PredictTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / fmt::format("stl-predict-{}", ::getpid());
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }
    std::string path(const std::string& name) const { return (folder_ / name).string(); }

    /// Sequence n, frame t is filled with (10 n + t) / 100.
    void write_sequences(const std::string& name, std::int64_t count, const SequenceShape& shape) const {
        auto values = torch::empty({count, shape.frames, shape.channels, shape.height, shape.width});
        for (std::int64_t n = 0; n < count; ++n) {
            for (std::int64_t t = 0; t < shape.frames; ++t) values[n][t].fill_(float(10 * n + t) / 100.0F);
        }
        WriteOptions options;
        options.dtype = DType::f32;
        const auto writer = create_sequences(path(name), count, shape, options);
        writer->append(
            std::span<const float>(values.data_ptr<float>(), static_cast<std::size_t>(values.numel())));
        writer->finish();
    }
    /// Frame t is filled with gray 10 t.
    void write_clip(const std::string& name, int frames) const {
        VideoWriteOptions options;
        options.quality = 100;
        options.fps = 5;
        const auto writer = create_video(path(name), options);
        for (int t = 0; t < frames; ++t) writer->add(Image(16, 16, 1, static_cast<std::uint8_t>(10 * t)));
        writer->finish();
    }
    void run(const std::string& input, const std::string& output, const SourceOptions& options = {}) {
        auto counted = options;
        counted.counted = needs_count(output);
        const auto source = open_source(path(input), {3, 1, 16, 16}, counted, silent_);
        const auto sink = open_sink(path(output), source->count(), {2, 1, 16, 16}, {.fps = source->fps()});
        predict_all(*source, *sink, copy_last(2), 2, silent_);
    }
    std::vector<float> first_pixels(const std::string& name) const {
        const auto reader = open_sequences(path(name));
        const auto& info = reader->info();
        std::vector<float> values(static_cast<std::size_t>(info.count * info.shape.elements()));
        reader->read(0, info.count, values);
        std::vector<float> pixels;
        for (std::size_t i = 0; i < values.size();
             i += static_cast<std::size_t>(info.shape.frame_elements())) {
            pixels.push_back(values[i]);
        }
        return pixels;
    }

    fs::path folder_;
    Reporter silent_;
};

TEST_F(PredictTest, OfStoredSequencesTheFirstFramesAreUsed) {
    write_sequences("in.h5", 5, {7, 1, 16, 16});
    run("in.h5", "out.npy");
    EXPECT_THAT(first_pixels("out.npy"),
                testing::ElementsAre(0.02F, 0.02F, 0.12F, 0.12F, 0.22F, 0.22F, 0.32F, 0.32F, 0.42F, 0.42F));
}

TEST_F(PredictTest, OfAVideoTheLastFramesAreUsed) {
    write_clip("in.mp4", 8);
    run("in.mp4", "out.h5");
    const auto pixels = first_pixels("out.h5");
    ASSERT_EQ(pixels.size(), 2U);
    EXPECT_NEAR(pixels[0], 70 / 255.0, 2 / 255.0);
}

TEST_F(PredictTest, AMomentOfAVideoCanBeChosen) {
    write_clip("in.mp4", 8);
    SourceOptions options;
    options.at = 1.0;  // frames 0 to 4 show before it
    run("in.mp4", "out.h5", options);
    EXPECT_NEAR(first_pixels("out.h5")[0], 40 / 255.0, 2 / 255.0);
    options.at = 9.0;
    EXPECT_THAT([&] { run("in.mp4", "late.h5", options); },
                ThrowsMessage<Error>(HasSubstr("in.mp4: lasts 1.6 s, --at 9 s is beyond its end")));
}

TEST_F(PredictTest, SlidesAlongAVideo) {
    write_clip("in.mp4", 8);
    SourceOptions options;
    options.every = 2;
    run("in.mp4", "out.h5", options);
    const auto pixels = first_pixels("out.h5");  // windows end at frames 2, 4 and 6
    ASSERT_EQ(pixels.size(), 6U);
    EXPECT_NEAR(pixels[0], 20 / 255.0, 2 / 255.0);
    EXPECT_NEAR(pixels[4], 60 / 255.0, 2 / 255.0);
}

TEST_F(PredictTest, SlidingIsCountedOnlyWhereTheOutputNeedsIt) {
    write_clip("in.mp4", 8);
    SourceOptions options;
    options.every = 2;
    const SequenceShape model{3, 1, 16, 16};
    EXPECT_EQ(open_source(path("in.mp4"), model, options, silent_)->count(), unknown_count);
    EXPECT_EQ(open_source(path("in.mp4"), model, options, silent_)->expected(), 3);
    for (const char* output : {"out.h5", "out.npy"}) {
        run("in.mp4", output, options);
        EXPECT_EQ(open_sequences(path(output))->info().count, 3) << output;
    }
    EXPECT_EQ(first_pixels("out.h5"), first_pixels("out.npy"));
    run("in.mp4", "out.mp4", options);
    write_clip("two.mp4", 2);
    for (const char* output : {"few.h5", "few.npy", "few.mp4"}) {
        EXPECT_THAT([&] { run("two.mp4", output, options); },
                    ThrowsMessage<Error>(HasSubstr("two.mp4: 2 frames, the model expects at least 3")));
        EXPECT_FALSE(fs::exists(path(output)));
    }
}

TEST_F(PredictTest, DamageIsToldOnce) {
    write_clip("in.mp4", 40);
    const auto bytes = read_text(path("in.mp4"));
    auto damaged = bytes;
    for (std::size_t i = 0; i < 40; ++i) damaged[bytes.size() - 100 + i] = static_cast<char>(i * 37 + 11);
    write_text(path("in.mp4"), damaged);
    Notes notes;
    SourceOptions options;
    options.every = 1;
    const auto source = open_source(path("in.mp4"), {3, 1, 16, 16}, options, notes);
    const auto sink = open_sink(path("out.h5"), source->count(), {2, 1, 16, 16}, {});
    EXPECT_GT(predict_all(*source, *sink, copy_last(2), 7, notes), 20);
    EXPECT_EQ(notes.warnings.size(), 1U);
}

TEST_F(PredictTest, ASequenceFileTellsRateAndOrigin) {
    for (const char* output : {"out.h5", "out.npy"}) {
        const auto sink =
            open_sink(path(output), 1, {2, 1, 16, 16},
                      {.fps = 7.5, .attributes = {{"source", "clip.mp4"}, {"model", "runs/a"}}});
        sink->append(torch::zeros({1, 2, 1, 16, 16}));
        sink->finish();
    }
    const auto info = open_sequences(path("out.h5"))->info();
    EXPECT_EQ(info.fps, 7.5);
    EXPECT_EQ(info.attributes.at("source"), "clip.mp4");
    EXPECT_EQ(info.attributes.at("model"), "runs/a");
    EXPECT_EQ(open_sequences(path("out.npy"))->info().count, 1);  // which has no place for them
}

TEST_F(PredictTest, WritesAVideoOfTheClipsFrameRate) {
    write_clip("in.mp4", 8);
    run("in.mp4", "out.mp4");
    VideoReader video(path("out.mp4"));
    EXPECT_NEAR(video.info().fps, 5, 1e-6);
    int frames = 0;
    while (const auto frame = video.next()) {
        ++frames;
        EXPECT_NEAR(frame->image.at(8, 8), 70, 3);
    }
    EXPECT_EQ(frames, 2);
}

/// Frames of gray 4 t, 30 a second. Of three frames the middle one shows, as FFmpeg chooses.
TEST_F(PredictTest, AClipOfAnotherRateIsReadAtTheTrainingDatas) {
    {
        VideoWriteOptions options;
        options.quality = 100;
        options.fps = 30;
        const auto writer = create_video(path("in.mp4"), options);
        for (int t = 0; t < 60; ++t) writer->add(Image(16, 16, 1, static_cast<std::uint8_t>(4 * t)));
        writer->finish();
    }
    const auto grays = [&](const SourceOptions& options, double fps) {
        Notes notes;
        const auto source = open_source(path("in.mp4"), {3, 1, 16, 16}, options, notes);
        EXPECT_NEAR(source->fps(), fps, 1e-6);
        std::vector<int> values;
        for (auto x = source->next(1); x.defined(); x = source->next(1)) {
            for (int t = 0; t < 3; ++t)
                values.push_back(static_cast<int>(std::lround(x[0][t].mean().item<float>() * 255 / 4)));
        }
        EXPECT_THAT(notes.warnings, testing::IsEmpty());
        return std::pair(values, notes.infos);
    };
    SourceOptions trained;
    trained.trained_fps = 10;
    const auto [values, lines] = grays(trained, 10);
    EXPECT_THAT(values, testing::ElementsAre(52, 55, 58));
    EXPECT_THAT(lines,
                testing::ElementsAre(HasSubstr("30 frames per second, read as 10, which the network was")));
    trained.fps = 30;
    EXPECT_THAT(grays(trained, 30), testing::Pair(testing::ElementsAre(57, 58, 59), testing::IsEmpty()));
    trained.fps.reset();
    trained.trained_fps = 30;
    EXPECT_THAT(grays(trained, 30), testing::Pair(testing::ElementsAre(57, 58, 59), testing::IsEmpty()));
    trained.trained_fps = 10;
    trained.every = 10;
    EXPECT_THAT(grays(trained, 10).first, testing::ElementsAre(1, 4, 7, 31, 34, 37));
}

TEST_F(PredictTest, OfStoredSequencesOfAnotherRateItWarns) {
    Notes notes;
    WriteOptions options;
    options.dtype = DType::f32;
    options.fps = 30;
    const auto writer = create_sequences(path("a.h5"), 1, {3, 1, 16, 16}, options);
    writer->append(std::span<const float>(std::vector<float>(3 * 256, 0.0F)));
    writer->finish();
    SourceOptions trained;
    trained.trained_fps = 10;
    open_source(path("a.h5"), {3, 1, 16, 16}, trained, notes);
    EXPECT_THAT(notes.warnings,
                testing::ElementsAre(HasSubstr("30 frames per second, but the network was trained on 10")));
    trained.fps = 10;
    EXPECT_THAT(
        [&] {
            open_source(path("a.h5"), {3, 1, 16, 16}, trained, notes);
        },
        ThrowsMessage<Error>(HasSubstr("--fps is for videos")));
}

/// Five pictures of one size, then five of another: two pieces.
TEST_F(PredictTest, NoWindowRunsOverAGap) {
    fs::create_directories(path("in"));
    for (int t = 0; t < 10; ++t) {
        const int side = t < 5 ? 16 : 24;
        write_png(folder_ / "in" / fmt::format("{}.png", t),
                  Image(side, side, 1, static_cast<std::uint8_t>(10 * t)));
    }
    SourceOptions options;
    for (const auto& [every, windows] : {std::pair{1, 6}, {2, 4}, {3, 2}}) {
        SCOPED_TRACE(every);
        options.every = every;
        options.counted = true;
        const auto source = open_source(path("in"), {3, 1, 16, 16}, options, silent_);
        EXPECT_EQ(source->count(), windows);
        int found = 0;
        for (auto x = source->next(1); x.defined(); x = source->next(1)) {
            ++found;
            const auto first = x[0][0].mean().item<float>() * 255, last = x[0][2].mean().item<float>() * 255;
            EXPECT_EQ(first < 45, last < 45) << first << " to " << last;
        }
        EXPECT_EQ(found, windows);
    }
    options.every = 1;
    EXPECT_THAT(
        [&] {
            open_source(path("in"), {6, 1, 16, 16}, options, silent_);
        },
        ThrowsMessage<Error>(HasSubstr("10 frames with gaps between them, the model expects at least 6")));
    Notes notes;
    open_source(path("in"), {6, 1, 16, 16}, {}, notes);
    EXPECT_THAT(notes.warnings,
                testing::Contains(HasSubstr("the 6 frames before the prediction run over a gap")));
}

TEST_F(PredictTest, WhatWasSeenComesBeforeWhatIsPredicted) {
    write_clip("in.mp4", 8);
    const auto source = open_source(path("in.mp4"), {3, 1, 16, 16}, {}, silent_);
    const auto stored = open_sink(path("out.h5"), 1, {5, 1, 16, 16}, {.fps = 25, .inputs = 3});
    predict_all(*source, *stored, with_input(copy_last(2)), 1, silent_);
    const auto pixels = first_pixels("out.h5");
    ASSERT_EQ(pixels.size(), 5U);
    for (const auto& [frame, value] : {std::pair{0, 50}, {1, 60}, {2, 70}, {3, 70}, {4, 70}})
        EXPECT_NEAR(pixels[static_cast<std::size_t>(frame)], value / 255.0, 2 / 255.0) << frame;

    const auto again = open_source(path("in.mp4"), {3, 1, 16, 16}, {}, silent_);
    const auto shown = open_sink(path("out.apng"), 1, {5, 1, 16, 16}, {.fps = 25, .inputs = 3});
    predict_all(*again, *shown, with_input(copy_last(2)), 1, silent_);
    VideoReader reader(path("out.apng"));
    EXPECT_EQ(reader.info().fps, 5) << "slow enough to be looked at";
    std::vector<std::vector<std::uint8_t>> corners;
    while (const auto frame = reader.next()) {
        EXPECT_EQ(frame->image.height, 264) << "enlarged, with a border";
        corners.emplace_back(frame->image.pixels.begin(), frame->image.pixels.begin() + 3);
    }
    ASSERT_EQ(corners.size(), 5U);
    EXPECT_EQ(corners[2], (std::vector<std::uint8_t>{48, 48, 48}));
    EXPECT_EQ(corners[3], (std::vector<std::uint8_t>{255, 140, 0})) << "predicted";
}

TEST_F(PredictTest, OfValuesThatAVideoCannotShowItWarns) {
    write_clip("in.mp4", 8);
    const auto warnings = [&](const std::string& output, float value) {
        Notes notes;
        const auto source = open_source(path("in.mp4"), {3, 1, 16, 16}, {}, notes);
        const auto sink = open_sink(path(output), source->count(), {2, 1, 16, 16}, {.fps = 5, .force = true});
        const auto constant = [value](const torch::Tensor& x) {
            return torch::full({x.size(0), 2, 1, 16, 16}, value);
        };
        predict_all(*source, *sink, constant, 1, notes);
        return notes.warnings;
    };
    EXPECT_THAT(warnings("out.mp4", 280),
                testing::ElementsAre(HasSubstr("100 % of the predicted values lie far outside")));
    EXPECT_THAT(warnings("out.mp4", 1.2F), testing::IsEmpty());
    EXPECT_THAT(warnings("out.h5", 280), testing::IsEmpty());
}

TEST_F(PredictTest, WrongInputsAreNamed) {
    write_sequences("short.h5", 1, {2, 1, 16, 16});
    EXPECT_THAT(
        [&] { run("short.h5", "out.h5"); },
        ThrowsMessage<Error>(HasSubstr("short.h5: sequences of 2 frames, the model expects at least 3")));
    write_sequences("wide.h5", 1, {4, 1, 16, 20});
    EXPECT_THAT([&] { run("wide.h5", "out.h5"); },
                ThrowsMessage<Error>(HasSubstr("the model expects 3 frames of 1x16x16")));
    write_clip("two.mp4", 2);
    EXPECT_THAT([&] { run("two.mp4", "out.h5"); },
                ThrowsMessage<Error>(HasSubstr("two.mp4: 2 frames, the model expects 3")));
    EXPECT_FALSE(fs::exists(path("out.h5")));
}

TEST_F(PredictTest, AnInterruptLeavesNothing) {
    write_sequences("in.h5", 5, {7, 1, 16, 16});
    const auto source = open_source(path("in.h5"), {3, 1, 16, 16}, {}, silent_);
    {
        const auto sink = open_sink(path("out.h5"), 5, {2, 1, 16, 16}, {});
        EXPECT_THROW(predict_all(*source, *sink, copy_last(2), 2, silent_, [] { return true; }), Interrupted);
    }
    EXPECT_FALSE(fs::exists(path("out.h5")));
}

TEST(Stream, PredictsAfterEveryFrame) {
    const RawFormat format{.width = 4, .height = 2, .channels = 1};
    std::string bytes;
    for (char t = 1; t <= 5; ++t) bytes += std::string(8, t);
    std::istringstream in(bytes);
    std::ostringstream out;
    EXPECT_EQ(predict_stream(in, out, format, 3, copy_last(1)), 3);
    EXPECT_EQ(out.str(), bytes.substr(16));
}

TEST(Stream, ACutFrameAndTooFewFramesAreNamed) {
    const RawFormat format{.width = 4, .height = 2, .channels = 1};
    std::istringstream cut(std::string(8 * 3 + 5, 'x'));
    std::ostringstream out;
    EXPECT_THAT([&] { predict_stream(cut, out, format, 3, copy_last(1)); },
                ThrowsMessage<Error>("standard input: ends inside frame 4 (5 of 8 bytes)"));
    std::istringstream few(std::string(16, 'x'));
    EXPECT_THAT([&] { predict_stream(few, out, format, 3, copy_last(1)); },
                ThrowsMessage<Error>("standard input: 2 frames, the model expects at least 3"));
}

TEST(Stream, RawFormats) {
    EXPECT_EQ(parse_raw_format("64x48:rgb").width, 64);
    EXPECT_EQ(parse_raw_format("64x48:rgb").height, 48);
    EXPECT_EQ(parse_raw_format("64x48:rgb").channels, 3);
    for (const char* bad :
         {"", "64x48", "64:gray", "0x4:gray", "64x48:yuv", "99999999999x4:gray", "axb:gray"}) {
        EXPECT_THROW(parse_raw_format(bad), UsageError) << bad;
    }
}

TEST(Pictures, TensorsAndBack) {
    Image image(2, 3, 3);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(13 * i);
    const auto tensor = to_tensor(image);
    EXPECT_EQ(tensor.sizes(), (std::vector<std::int64_t>{3, 2, 3}));
    EXPECT_EQ(tensor[1][0][2].item<float>(), 13 * 7 / 255.0F);
    EXPECT_EQ(to_image(tensor), image);
    EXPECT_EQ(to_image(torch::full({1, 1, 1}, 1.7)).pixels[0], 255);
    EXPECT_EQ(to_image(torch::full({1, 1, 1}, -0.2)).pixels[0], 0);
}

}  // namespace
}  // namespace stl
