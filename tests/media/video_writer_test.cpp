// What is written is judged by ffprobe and decoded by ffmpeg.

#include "stl/media/video_writer.h"

#include <gmock/gmock.h>

#include "stl/media/media_info.h"
#include "stl/media/png.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A square that moves over a gradient.
Image scene(int k, int height, int width, int channels) {
    Image image(height, width, channels);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const bool inside = x >= 2 * k && x < 2 * k + 12 && y >= 10 && y < 22;
            for (int c = 0; c < channels; ++c) {
                image.at(y, x, c) =
                    static_cast<std::uint8_t>(inside ? (c == 0 ? 230 : 40) : (x + y) / 2 + 20 * c);
            }
        }
    }
    return image;
}

void write_scenes(const fs::path& path, int count, const VideoWriteOptions& options, int height = 48,
                  int width = 64, int channels = 3) {
    const auto writer = create_video(path, options);
    for (int k = 0; k < count; ++k) writer->add(scene(k, height, width, channels));
    writer->finish();
}

class VideoWriterTest : public ::testing::Test {
  protected:
    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    test::TemporaryFolder folder_;
};

TEST_F(VideoWriterTest, PlaysInBrowsersAndPhones) {
    VideoWriteOptions options;
    options.fps = 12.5;
    write_scenes(file("a.mp4"), 20, options);
    EXPECT_EQ(test::probe(file("a.mp4"), "codec_name"), "h264");
    EXPECT_EQ(test::probe(file("a.mp4"), "pix_fmt"), "yuv420p");
    EXPECT_EQ(test::probe(file("a.mp4"), "color_space"), "bt709");
    EXPECT_EQ(test::probe(file("a.mp4"), "color_range"), "tv");
    EXPECT_EQ(test::probe(file("a.mp4"), "nb_read_frames"), "20");
    EXPECT_EQ(test::probe(file("a.mp4"), "r_frame_rate"), "25/2");
    EXPECT_EQ(test::probe(file("a.mp4"), "duration"), "1.600000");
    const std::string bytes = read_text(file("a.mp4"));
    EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));  // faststart
}

class EveryKind : public VideoWriterTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(EveryKind, CountTimingPictureAndBytes) {
    VideoWriteOptions options;
    options.fps = 10;
    options.quality = 95;
    const std::string path = file(std::string("a") + GetParam());
    write_scenes(path, 15, options);
    EXPECT_EQ(test::probe(path, "nb_read_frames"), "15");
    EXPECT_EQ(test::probe(path, "width"), "64");
    const std::string duration =
        test::run("ffprobe -v error -show_entries frame=pts_time -of csv=p=0 " + path);
    EXPECT_THAT(duration, AllOf(HasSubstr("0.100000"), HasSubstr("0.700000"), HasSubstr("1.400000")));
    // Ours reads what ours wrote, and so does ffmpeg.
    const auto ours = test::read_all(path);
    const auto theirs = test::decode_with_ffmpeg(path, 48, 64, 3);
    ASSERT_EQ(ours.size(), 15U);
    for (int k = 0; k < 15; ++k) {
        const auto i = static_cast<std::size_t>(k);
        EXPECT_LT(test::mean_difference(ours[i].image, scene(k, 48, 64, 3)), 2.5) << k;
        EXPECT_LT(test::mean_difference(theirs[i], scene(k, 48, 64, 3)), 2.5) << k;
    }
    // The same pictures, the same bytes.
    const std::string first = read_text(path);
    options.force = true;
    write_scenes(path, 15, options);
    EXPECT_EQ(read_text(path), first);
}

INSTANTIATE_TEST_SUITE_P(Extensions, EveryKind,
                         ::testing::Values(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif", ".apng"),
                         [](const auto& info) { return std::string(info.param + 1); });

/// Large fields of known colours survive encoding, in our reader and in ffmpeg's.
TEST_F(VideoWriterTest, ColorsAreRight) {
    const std::vector<std::array<int, 3>> colors{{255, 0, 0},     {0, 255, 0},   {0, 0, 255},
                                                 {255, 255, 255}, {0, 0, 0},     {128, 128, 128},
                                                 {200, 100, 50},  {30, 180, 220}};
    for (const std::string name : {"a.mp4", "a.webm", "a.gif", "a.apng"}) {
        VideoWriteOptions options;
        options.quality = 95;
        const auto writer = create_video(file(name), options);
        for (const auto& color : colors) {
            Image image(32, 32, 3);
            for (std::size_t i = 0; i < image.pixels.size(); ++i)
                image.pixels[i] = static_cast<std::uint8_t>(color[i % 3]);
            writer->add(image);
        }
        writer->finish();
        const auto ours = test::read_all(file(name));
        const auto theirs = test::decode_with_ffmpeg(file(name), 32, 32, 3,
                                                     "-vf scale=flags=accurate_rnd:in_color_matrix=bt709");
        ASSERT_EQ(ours.size(), colors.size()) << name;
        ASSERT_EQ(theirs.size(), colors.size()) << name;
        for (std::size_t k = 0; k < colors.size(); ++k) {
            for (std::size_t c = 0; c < 3; ++c) {
                const std::size_t middle = (16 * 32 + 16) * 3 + c;
                EXPECT_NEAR(int{ours[k].image.pixels[middle]}, colors[k][c], 3) << name << " " << k;
                EXPECT_NEAR(int{theirs[k].pixels[middle]}, colors[k][c], 3) << name << " " << k;
            }
        }
    }
}

TEST_F(VideoWriterTest, LosslessKindsAreLossless) {
    VideoWriteOptions options;
    for (const std::string name : {"a.apng", "frames", "gray.gif"}) {
        const int channels = name == "gray.gif" ? 1 : 3;  // few enough colours for one palette
        write_scenes(file(name), 4, options, 20, 30, channels);
        VideoOptions read;
        read.channels = channels;
        const auto frames = test::read_all(file(name), read);
        ASSERT_EQ(frames.size(), 4U) << name;
        for (int k = 0; k < 4; ++k)
            EXPECT_EQ(frames[static_cast<std::size_t>(k)].image, scene(k, 20, 30, channels)) << name;
    }
    EXPECT_TRUE(fs::exists(file("frames/frame_0003.png")));
}

TEST_F(VideoWriterTest, OddSizesArePadded) {
    write_scenes(file("a.mp4"), 3, {}, 33, 45);
    EXPECT_EQ(test::probe(file("a.mp4"), "width"), "46");
    EXPECT_EQ(test::probe(file("a.mp4"), "height"), "34");
    write_scenes(file("a.gif"), 3, {}, 33, 45);
    EXPECT_EQ(test::probe(file("a.gif"), "width"), "45");
}

TEST_F(VideoWriterTest, GifHasOnePaletteAndHonestTiming) {
    VideoWriteOptions options;
    options.fps = 30;  // GIF counts hundredths of a second
    write_scenes(file("a.gif"), 31, options);
    EXPECT_EQ(test::probe(file("a.gif"), "nb_read_frames"), "31");
    const auto frames = test::read_all(file("a.gif"));
    EXPECT_NEAR(frames.back().time, 1.0, 0.006);
    // A local palette would be marked in the image descriptors (0x2C ... flags): the colours of frame 30 are
    // there.
    EXPECT_LT(test::mean_difference(frames.back().image, scene(30, 48, 64, 3)), 3);
    const std::string bytes = read_text(file("a.gif"));
    EXPECT_EQ(static_cast<unsigned char>(bytes[10]) & 0x80U, 0x80U);  // a global palette
    options.fps = 100;
    options.force = true;
    write_scenes(file("a.gif"), 5, options);
    EXPECT_NEAR(test::read_all(file("a.gif")).back().time, 4 / 50.0, 1e-6);
}

TEST_F(VideoWriterTest, ManyColorsGetAGoodPalette) {
    // A smooth picture of tens of thousands of colours.
    Image image(128, 128, 3);
    for (int y = 0; y < 128; ++y) {
        for (int x = 0; x < 128; ++x) {
            image.at(y, x, 0) = static_cast<std::uint8_t>(2 * x);
            image.at(y, x, 1) = static_cast<std::uint8_t>(2 * y);
            image.at(y, x, 2) = static_cast<std::uint8_t>(255 - x - y);
        }
    }
    const auto writer = create_video(file("a.gif"));
    writer->add(image);
    writer->finish();
    EXPECT_LT(test::mean_difference(test::read_all(file("a.gif")).at(0).image, image), 7);
}

TEST_F(VideoWriterTest, RefusesWhatIsThere) {
    write_text(file("a.mp4"), "precious");
    EXPECT_THAT(test::error_of([&] { create_video(file("a.mp4")); }), HasSubstr("--force"));
    fs::create_directories(file("frames"));
    write_text(file("frames/thesis.tex"), "precious");
    VideoWriteOptions force;
    force.force = true;
    EXPECT_THAT(test::error_of([&] { create_video(file("frames"), force); }), HasSubstr("thesis.tex"));
    EXPECT_EQ(read_text(file("a.mp4")), "precious");
    EXPECT_EQ(read_text(file("frames/thesis.tex")), "precious");
    write_scenes(file("other"), 3, {});
    EXPECT_THAT(test::error_of([&] { create_video(file("other")); }), HasSubstr("--force"));
    write_scenes(file("other"), 2, force);
    EXPECT_FALSE(fs::exists(file("other/frame_0002.png")));
}

TEST_F(VideoWriterTest, DoesNotReplaceWhatAnotherProgramMadeMeanwhile) {
    for (const std::string name : {"a.mp4", "a.gif", "frames"}) {
        const auto writer = create_video(file(name));
        writer->add(scene(0, 32, 32, 3));
        write_scenes(file("their_" + name), 3, {});
        fs::rename(file("their_" + name), file(name));
        const auto theirs = fs::is_directory(file(name)) ? std::string() : read_text(file(name));
        EXPECT_THAT(test::error_of([&] { writer->finish(); }), HasSubstr("exists already (--force")) << name;
        EXPECT_TRUE(fs::is_directory(file(name)) || read_text(file(name)) == theirs) << name;
    }
    EXPECT_TRUE(fs::exists(file("frames/frame_0002.png")));
    VideoWriteOptions force;
    force.force = true;
    const auto writer = create_video(file("frames"), force);
    writer->add(scene(0, 32, 32, 3));
    write_text(file("frames/thesis.tex"), "precious");
    EXPECT_THAT(test::error_of([&] { writer->finish(); }), HasSubstr("thesis.tex"));
    EXPECT_EQ(read_text(file("frames/thesis.tex")), "precious");
}

TEST_F(VideoWriterTest, LeavesNothingUnfinished) {
    for (const std::string name : {"a.mp4", "a.gif", "a.webm", "frames"}) {
        const auto writer = create_video(file(name));
        writer->add(scene(0, 32, 32, 3));
    }
    EXPECT_TRUE(fs::is_empty(folder_ / ""));
    EXPECT_THAT(test::error_of([&] { create_video(file("a.mp4"))->finish(); }), HasSubstr("no frames"));
    EXPECT_THAT(test::error_of([&] {
                    const auto writer = create_video(file("a.mp4"));
                    writer->add(scene(0, 32, 32, 3));
                    writer->add(scene(0, 32, 34, 3));
                }),
                AllOf(HasSubstr("34x32"), HasSubstr("32x32")));
    EXPECT_THAT(test::error_of([&] { create_video(file("a.xyz")); }),
                AllOf(HasSubstr("'.xyz'"), HasSubstr(".webm")));
    EXPECT_THAT(test::error_of([&] { create_video("/proc/nowhere/a.mp4"); }), HasSubstr("/proc/nowhere"));
    EXPECT_TRUE(fs::is_empty(folder_ / ""));
}

TEST_F(VideoWriterTest, SaysThatTheDiskIsFull) {
    for (const std::string name : {"a.mp4", "a.webm", "a.gif", "a.apng", "frames"}) {
        VideoWriteOptions options;
        options.quality = 100;
        const std::string message = test::error_of([&] {
            const test::FullDisk full(300);
            write_scenes(file(name), 40, options, 160, 200);
        });
        EXPECT_THAT(message, AllOf(HasSubstr("cannot be written"), HasSubstr(name))) << name;
    }
    EXPECT_TRUE(fs::is_empty(folder_ / ""));
}

TEST(MediaInfo, KnowsVersionAndEncoders) {
    EXPECT_THAT(ffmpeg_version(), HasSubstr("libavcodec "));
    bool gif = false;
    for (const auto& format : output_formats())
        gif = gif || (format.extension == ".gif" && format.encoder == "gif");
    EXPECT_TRUE(gif);
}

}  // namespace
}  // namespace stl
