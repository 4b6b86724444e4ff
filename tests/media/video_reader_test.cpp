// Read files that the ffmpeg program made, and compare with what it decodes itself.

#include "stl/media/video_reader.h"

#include <gmock/gmock.h>

#include <array>

#include "stl/media/png.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using test::ffmpeg;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

const std::string moving = "-f lavfi -i testsrc2=size=96x64:rate=25:duration=2 ";

class VideoReaderTest : public ::testing::Test {
  protected:
    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    test::TemporaryFolder folder_;
};

TEST_F(VideoReaderTest, GivesEveryFrameWithItsTime) {
    ffmpeg(moving + "-pix_fmt yuv420p " + file("a.mp4"));
    VideoReader reader(file("a.mp4"));
    EXPECT_EQ(reader.info().height, 64);
    EXPECT_EQ(reader.info().width, 96);
    EXPECT_DOUBLE_EQ(reader.info().fps, 25);
    EXPECT_EQ(reader.info().frames, 50);
    int count = 0;
    while (const auto frame = reader.next()) {
        EXPECT_NEAR(frame->time, count / 25.0, 1e-6);
        EXPECT_EQ(frame->image.channels, 3);
        EXPECT_FALSE(frame->after_gap);
        ++count;
    }
    EXPECT_EQ(count, 50);
    EXPECT_FALSE(reader.damage().any()) << to_string(reader.damage(), file("a.mp4"));
}

TEST_F(VideoReaderTest, DecodesAndScalesAsFfmpegDoes) {
    ffmpeg(moving + "-pix_fmt yuv444p -qp 0 " + file("a.mkv"));
    VideoOptions options;
    options.height = 16;
    options.width = 24;
    options.channels = 1;
    const auto ours = test::read_all(file("a.mkv"), options);
    const auto theirs =
        test::decode_with_ffmpeg(file("a.mkv"), 16, 24, 1, "-vf scale=24:16:flags=area+accurate_rnd");
    ASSERT_EQ(ours.size(), theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        EXPECT_LE(test::largest_difference(ours[i].image, theirs[i]), 1) << i;  // theirs rounds twice
    }
}

/// Known colours through several stored forms: matrix, range, depth, subsampling.
struct Stored {
    const char* name;
    const char* arguments;
    int tolerance;
};
class ColorTest : public VideoReaderTest, public ::testing::WithParamInterface<Stored> {};

TEST_P(ColorTest, ComesBack) {
    const std::vector<std::array<int, 3>> colors{{255, 0, 0},     {0, 255, 0},   {0, 0, 255},
                                                 {255, 255, 255}, {0, 0, 0},     {128, 128, 128},
                                                 {200, 100, 50},  {30, 180, 220}};
    Image image(32, 32 * static_cast<int>(colors.size()), 3);
    for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
            for (int c = 0; c < 3; ++c) {
                image.at(y, x, c) = static_cast<std::uint8_t>(
                    colors[static_cast<std::size_t>(x / 32)][static_cast<std::size_t>(c)]);
            }
        }
    }
    write_png(file("a.png"), image);
    const std::string out =
        file(std::string("b") + (std::string(GetParam().name).starts_with("gif") ? ".gif" : ".mkv"));
    ffmpeg("-i " + file("a.png") + " " + GetParam().arguments + " " + out);
    VideoOptions options;
    options.height = 1;
    options.width = static_cast<int>(colors.size());
    const auto frames = test::read_all(out, options);
    ASSERT_EQ(frames.size(), 1U);
    for (std::size_t i = 0; i < colors.size(); ++i) {
        for (std::size_t c = 0; c < 3; ++c) {
            EXPECT_NEAR(int{frames[0].image.pixels[3 * i + c]}, colors[i][c], GetParam().tolerance)
                << "colour " << i << " channel " << c;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ColorTest,
    ::testing::Values(Stored{"rgb", "-c:v ffv1 -pix_fmt bgr0", 0},
                      Stored{"gbrp", "-c:v ffv1 -pix_fmt gbrp10le", 1},
                      Stored{"rgba", "-c:v ffv1 -pix_fmt bgra", 0},
                      Stored{"gif", "-vf 'split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none'", 0},
                      Stored{"bt601",
                             "-vf scale=out_color_matrix=bt601:flags=accurate_rnd -colorspace smpte170m -c:v "
                             "ffv1 -pix_fmt yuv444p",
                             2},
                      Stored{"bt709",
                             "-vf scale=out_color_matrix=bt709:flags=accurate_rnd -colorspace bt709 -c:v "
                             "libx264 -qp 0 -pix_fmt yuv444p",
                             2},
                      Stored{"bt2020",
                             "-vf scale=out_color_matrix=bt2020:flags=accurate_rnd -colorspace bt2020nc -c:v "
                             "libx264 -qp 0 -pix_fmt yuv444p",
                             2},
                      Stored{"full",
                             "-vf scale=out_color_matrix=bt709:out_range=full:flags=accurate_rnd -colorspace "
                             "bt709 -color_range pc -c:v libx264 -qp 0 -pix_fmt yuv444p",
                             2},
                      Stored{"jpeg", "-c:v mjpeg -q:v 1 -pix_fmt yuvj420p", 3},
                      Stored{"bits10",
                             "-vf scale=out_color_matrix=bt709:flags=accurate_rnd -colorspace bt709 -c:v "
                             "libx264 -qp 0 -pix_fmt yuv420p10le",
                             2},
                      Stored{"nv12",
                             "-vf scale=out_color_matrix=bt601:flags=accurate_rnd -colorspace smpte170m -c:v "
                             "rawvideo -pix_fmt nv12",
                             2},
                      Stored{"yuyv",
                             "-vf scale=out_color_matrix=bt601:flags=accurate_rnd -colorspace smpte170m -c:v "
                             "rawvideo -pix_fmt yuyv422",
                             3}),
    [](const auto& info) { return info.param.name; });

TEST_F(VideoReaderTest, GrayIsTheLumaInFullRange) {
    ffmpeg("-f lavfi -i color=c=white:size=32x32:rate=1:duration=1 -pix_fmt yuv420p " + file("w.mp4"));
    ffmpeg("-f lavfi -i color=c=black:size=32x32:rate=1:duration=1 -pix_fmt yuv420p " + file("b.mp4"));
    ffmpeg("-f lavfi -i color=c=0x808080:size=32x32:rate=1:duration=1 -c:v ffv1 -pix_fmt gray " +
           file("g.mkv"));
    VideoOptions gray;
    gray.channels = 1;
    EXPECT_THAT(test::read_all(file("w.mp4"), gray).at(0).image.pixels, Each(255));
    EXPECT_THAT(test::read_all(file("b.mp4"), gray).at(0).image.pixels, Each(0));
    EXPECT_THAT(test::read_all(file("g.mkv"), gray).at(0).image.pixels, Each(128));
}

TEST_F(VideoReaderTest, AlphaShowsBlack) {
    write_png(file("a.png"), Image(8, 8, 4, 128));
    ffmpeg("-i " + file("a.png") + " -c:v ffv1 -pix_fmt yuva444p " + file("a.mkv"));
    for (const char* name : {"a.png", "a.mkv"}) {
        const auto frames = test::read_all(file(name));
        for (const auto v : frames.at(0).image.pixels) EXPECT_NEAR(int{v}, 64, 1) << name;
    }
}

/// Marks the track of an MP4 file as to be shown turned clockwise. In its bytes, because the ffmpeg program has one
/// option for it up to version 5 (-metadata rotate) and another since (-display_rotation).
void mark_as_turned(const fs::path& from, const fs::path& to, int quarters) {
    const auto matrix = [](int turns) {
        const auto number = [](int value) { return test::png::number(static_cast<std::uint32_t>(value)); };
        const int one = 1 << 16;
        const int cosine = std::array{one, 0, -one, 0}.at(static_cast<std::size_t>(turns));
        const int sine = std::array{0, one, 0, -one}.at(static_cast<std::size_t>(turns));
        return number(cosine) + number(sine) + number(0) + number(-sine) + number(cosine) + number(0) +
               number(0) + number(0) + number(1 << 30);
    };
    std::string bytes = read_text(from);
    const auto header = bytes.find("tkhd");
    ASSERT_NE(header, std::string::npos);
    const auto at = header + 4 + 40;  // the box's name, then what stands before the matrix in its version 0
    const std::string upright = matrix(0);
    ASSERT_EQ(bytes.substr(at, upright.size()), upright);
    bytes.replace(at, upright.size(), matrix(quarters));
    write_text(to, bytes);
}

TEST_F(VideoReaderTest, TurnsWhatIsMarkedAsTurned) {
    ffmpeg(moving + "-pix_fmt yuv444p -qp 0 " + file("a.mp4"));
    for (const int degrees : {90, 180, 270}) {
        const std::string turned = file(fmt::format("r{}.mp4", degrees));
        ASSERT_NO_FATAL_FAILURE(mark_as_turned(file("a.mp4"), turned, degrees / 90));
        const bool upright = degrees == 180;
        const int height = upright ? 64 : 96, width = upright ? 96 : 64;
        VideoOptions gray;
        gray.channels = 1;
        const auto ours = test::read_all(turned, gray);
        const auto theirs = test::decode_with_ffmpeg(turned, height, width, 1);
        ASSERT_EQ(ours.size(), theirs.size());
        EXPECT_EQ(ours[7].image.height, height);
        EXPECT_LE(test::largest_difference(ours[7].image, theirs[7]), 1) << degrees;
        EXPECT_EQ(VideoReader(turned).info().height, height);
    }
}

TEST_F(VideoReaderTest, SkippedFramesAreThoseThatAreRead) {
    ffmpeg(moving + "-pix_fmt yuv444p -qp 0 " + file("a.mp4"));
    ASSERT_NO_FATAL_FAILURE(mark_as_turned(file("a.mp4"), file("turned.mp4"), 1));
    fs::create_directory(file("pictures"));
    ffmpeg(moving + "-frames:v 3 " + file("pictures/%d.png"));
    for (const auto& path : {file("turned.mp4"), file("pictures/1.png"), file("pictures")}) {
        VideoReader read(path), skipped(path);
        while (const auto frame = read.next()) {
            const auto outline = skipped.skip();
            ASSERT_TRUE(outline) << path;
            EXPECT_EQ(outline->time, frame->time) << path;
            EXPECT_EQ(outline->height, frame->height()) << path;
            EXPECT_EQ(outline->width, frame->width()) << path;
        }
        EXPECT_FALSE(skipped.skip()) << path;
        EXPECT_EQ(skipped.info().duration, read.info().duration) << path;
    }
}

TEST_F(VideoReaderTest, FitsInThreeWays) {
    // White with a black left third, 90 x 30.
    Image image(30, 90, 1, 255);
    for (int y = 0; y < 30; ++y) std::fill_n(image.row(y), 30, std::uint8_t{0});
    write_png(file("a.png"), image);
    VideoOptions options;
    options.height = options.width = 30;
    options.channels = 1;
    options.fit = Fit::stretch;
    const Image stretched = test::read_all(file("a.png"), options).at(0).image;
    EXPECT_EQ(stretched.at(15, 9), 0);
    EXPECT_EQ(stretched.at(15, 10), 255);
    options.fit = Fit::crop;
    EXPECT_THAT(test::read_all(file("a.png"), options).at(0).image.pixels, Each(255));
    options.fit = Fit::pad;
    const Image padded = test::read_all(file("a.png"), options).at(0).image;
    EXPECT_EQ(padded.at(9, 20), 0);
    EXPECT_EQ(padded.at(10, 20), 255);
    EXPECT_EQ(padded.at(19, 20), 255);
    EXPECT_EQ(padded.at(20, 20), 0);
    EXPECT_EQ(padded.at(15, 9), 0);
    EXPECT_EQ(parse_fit("crop"), Fit::crop);
    EXPECT_THAT(test::error_of([] { parse_fit("corp"); }), HasSubstr("did you mean 'crop'"));
}

TEST_F(VideoReaderTest, CropHeedsThePixelAspect) {
    // 40 x 40 pixels shown twice as wide as high: the middle half of the columns fills a square.
    Image image(40, 40, 1, 0);
    for (int y = 0; y < 40; ++y) std::fill_n(image.row(y) + 10, 20, std::uint8_t{255});
    write_png(file("a.png"), image);
    ffmpeg("-i " + file("a.png") + " -vf setsar=2 -c:v ffv1 -pix_fmt gray " + file("a.mkv"));
    VideoOptions options;
    options.height = options.width = 20;
    options.channels = 1;
    options.fit = Fit::crop;
    EXPECT_THAT(test::read_all(file("a.mkv"), options).at(0).image.pixels, Each(255));
}

/// Numbers of the frames of a clip whose frame k is gray of value 10 k.
std::vector<int> numbers(const std::vector<Frame>& frames) {
    std::vector<int> out;
    for (const auto& frame : frames) out.push_back((int{frame.image.pixels[0]} + 5) / 10);
    return out;
}

TEST_F(VideoReaderTest, ChangesTheFrameRateAsFfmpegDoes) {
    const std::string counting =
        "-f lavfi -i color=black:size=16x16:rate=10:duration=2.4 -vf format=gray,geq=lum=10*N -c:v ffv1 "
        "-pix_fmt gray ";
    ffmpeg(counting + file("a.mkv"));
    VideoOptions options;
    options.channels = 1;
    for (const double fps : {4.0, 5.0, 10.0, 12.5, 30.0}) {
        options.fps = fps;
        const auto ours = test::read_all(file("a.mkv"), options);
        const auto theirs =
            test::decode_with_ffmpeg(file("a.mkv"), 16, 16, 1, fmt::format("-vf fps={}", fps));
        ASSERT_EQ(ours.size(), theirs.size()) << fps;
        for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i].image, theirs[i]) << fps << " " << i;
        EXPECT_NEAR(ours[3].time, 3 / fps, 1e-9);
    }
}

TEST_F(VideoReaderTest, HalfTheRateIsEveryOtherFrame) {
    // Fine time stamps, and Matroska's whole milliseconds.
    for (const std::string kind : {"-c:v png a.mov", "-c:v ffv1 a.mkv"}) {
        for (const int rate : {24, 25, 30, 60}) {
            const std::string name = kind.substr(kind.rfind(' ') + 1);
            ffmpeg(fmt::format(
                "-f lavfi -i color=black:size=16x16:rate={} -frames:v 240 -vf format=gray,geq=lum=N "
                "{} -pix_fmt gray {}",
                rate, kind.substr(0, kind.rfind(' ')), file(name)));
            VideoOptions options;
            options.channels = 1;
            options.fps = rate / 2.0;
            const auto frames = test::read_all(file(name), options);
            ASSERT_EQ(frames.size(), 120U) << name << " " << rate;
            for (std::size_t i = 1; i < frames.size(); ++i) {
                EXPECT_EQ(frames[i].image.pixels[0] - frames[i - 1].image.pixels[0], 2)
                    << name << rate << " " << i;
            }
        }
    }
}

TEST_F(VideoReaderTest, HoldsFramesOfVariableRate) {
    // Shown at 0, 0.1, 0.5, 0.6 s.
    ffmpeg(
        "-f lavfi -i color=black:size=16x16:rate=10:duration=0.7 -vf "
        "format=gray,geq=lum=10*N,select='eq(n\\,0)+eq(n\\,1)+gte(n\\,5)'"
        " -vsync vfr -c:v ffv1 -pix_fmt gray " +
        file("a.mkv"));
    VideoOptions options;
    options.channels = 1;
    EXPECT_THAT(numbers(test::read_all(file("a.mkv"), options)), ::testing::ElementsAre(0, 1, 5, 6));
    options.fps = 10;
    EXPECT_THAT(numbers(test::read_all(file("a.mkv"), options)), ::testing::ElementsAre(0, 1, 1, 1, 1, 5, 6));
}

TEST_F(VideoReaderTest, StartsAndEndsWhereTold) {
    ffmpeg(
        "-f lavfi -i color=black:size=16x16:rate=10:duration=2.4 -vf format=gray,geq=lum=10*N -pix_fmt "
        "yuv420p -qp 0 -g 7 -bf 2 " +
        file("a.mp4"));
    VideoOptions options;
    options.channels = 1;
    const auto all = test::read_all(file("a.mp4"), options);
    ASSERT_EQ(all.size(), 24U);
    for (const double start : {0.0, 0.3, 0.7, 1.5, 2.3}) {
        options.start = start;
        options.end = 2.35;
        const auto part = test::read_all(file("a.mp4"), options);
        const auto first = static_cast<std::size_t>(start * 10 + 0.5);
        ASSERT_EQ(part.size(), 24 - first) << start;
        for (std::size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i].image, all[first + i].image) << start;
    }
    options.start = 0.5;
    options.end = 0.8;
    options.fps = 20;
    EXPECT_EQ(test::read_all(file("a.mp4"), options).size(), 6U);
    EXPECT_THAT(test::error_of([&] {
                    options.end = 0.5;
                    VideoReader(file("a.mp4"), options);
                }),
                HasSubstr("not before end"));
}

TEST_F(VideoReaderTest, LastFrames) {
    for (const std::string name : {"a.mp4", "a.mkv", "a.ts", "a.gif", "a.h264", "a.avi"}) {
        ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=10:duration=20 -g 30 " + file(name));
        const auto all = test::read_all(file(name));
        const auto last = read_last_frames(file(name), 7);
        ASSERT_EQ(last.size(), 7U) << name;
        for (std::size_t i = 0; i < 7; ++i) {
            EXPECT_EQ(last[i].image, all[all.size() - 7 + i].image) << name << " " << i;
        }
        EXPECT_EQ(read_last_frames(file(name), 1000).size(), all.size()) << name;
        VideoOptions until;
        until.end = 9.95;
        EXPECT_EQ(read_last_frames(file(name), 1, until).at(0).image, all[99].image) << name;
    }
}

TEST_F(VideoReaderTest, FoldersInNaturalOrder) {
    fs::create_directories(file("frames"));
    for (int i = 1; i <= 12; ++i) {
        write_png(file(fmt::format("frames/f{}.png", i)), Image(4, 4, 1, static_cast<std::uint8_t>(10 * i)));
    }
    write_text(file("frames/notes.txt"), "not a picture");
    VideoOptions options;
    options.channels = 1;
    options.folder_fps = 5;
    const auto frames = test::read_all(file("frames"), options);
    ASSERT_EQ(frames.size(), 12U);
    for (int i = 1; i <= 12; ++i) {
        EXPECT_THAT(frames[static_cast<std::size_t>(i - 1)].image.pixels, Each(10 * i));
        EXPECT_NEAR(frames[static_cast<std::size_t>(i - 1)].time, (i - 1) / 5.0, 1e-9);
    }
    options.start = 1.0;
    options.end = 2.0;
    EXPECT_THAT(numbers(test::read_all(file("frames"), options)), ::testing::ElementsAre(6, 7, 8, 9, 10));
    EXPECT_EQ(read_last_frames(file("frames"), 3).size(), 3U);
}

TEST_F(VideoReaderTest, FoldersOfOtherPictures) {
    for (const std::string kind : {"jpg", "tiff", "bmp", "webp", "ppm"}) {
        fs::create_directories(file(kind));
        ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=10:duration=0.3 -q:v 1 -lossless 1 " +
               std::string(kind == "webp" ? "-c:v libwebp " : "") + file(kind + "/%d." + kind));
        VideoOptions small;  // at full size colour edges differ: ffmpeg repeats chroma, stl interpolates it
        small.height = 6;
        small.width = 8;
        const auto frames = test::read_all(file(kind), small);
        ASSERT_EQ(frames.size(), 3U) << kind;
        const auto theirs = test::decode_with_ffmpeg(file(kind + "/2." + kind), 6, 8, 3,
                                                     "-vf format=gbrp,scale=8:6:flags=area");
        EXPECT_LT(test::mean_difference(frames[1].image, theirs.at(0)), 3) << kind;
    }
}

TEST_F(VideoReaderTest, ReadsManyContainersAndCodecs) {
    for (const std::string name :
         {"a.webm", "a.avi", "a.mov", "a.ts", "a.flv", "a.mpg", "a.ogv", "a.wmv", "a.y4m", "a.apng"}) {
        ffmpeg(moving + file(name));
        const auto frames = test::read_all(file(name));
        EXPECT_NEAR(static_cast<double>(frames.size()), 50, name == "a.apng" ? 50 : 1) << name;
        EXPECT_EQ(frames.at(0).image.width, 96) << name;
    }
    ffmpeg(moving + "-flags +ilme+ildct -c:v mpeg2video " + file("interlaced.mpg"));
    EXPECT_EQ(test::read_all(file("interlaced.mpg")).size(), 50U);
    ffmpeg(moving +
           "-f lavfi -i sine=duration=2 -f lavfi -i color=red:size=32x32:duration=1 -map 1 -map 0 -map 2 " +
           file("several.mkv"));
    EXPECT_EQ(test::read_all(file("several.mkv")).at(0).image.width, 96);
    VideoOptions second;
    second.stream = 2;
    EXPECT_EQ(test::read_all(file("several.mkv"), second).at(0).image.width, 32);
}

}  // namespace
}  // namespace stl
