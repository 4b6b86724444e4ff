// What is not, or not wholly, a video.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "stl/media/png.h"
#include "stl/media/video_reader.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using test::ffmpeg;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BadVideo : public ::testing::Test {
  protected:
    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    std::string error_of_reading(const std::string& name, const VideoOptions& options = {}) const {
        return test::error_of([&] { test::read_all(file(name), options); });
    }
    test::TemporaryFolder folder_;
};

TEST_F(BadVideo, NotAVideo) {
    write_text(file("a.mp4"), "this is text, whatever its name says\n");
    write_text(file("notes.txt"), "some notes\nof several lines\n");
    write_text(file("empty.mp4"), "");
    write_text(file("random.mp4"), std::string(100000, '\x5a'));
    EXPECT_THAT(error_of_reading("a.mp4"), AllOf(HasSubstr("a.mp4"), HasSubstr("video")));
    EXPECT_THAT(error_of_reading("notes.txt"), HasSubstr("not a video"));
    EXPECT_THAT(error_of_reading("empty.mp4"), HasSubstr("is empty"));
    EXPECT_THAT(error_of_reading("random.mp4"), HasSubstr("video"));
    EXPECT_THAT(error_of_reading("none.mp4"), HasSubstr("no such file"));
    fs::create_directories(file("folder"));
    EXPECT_THAT(error_of_reading("folder"), HasSubstr("no pictures"));
}

TEST_F(BadVideo, APipe) {
    ASSERT_EQ(::mkfifo(file("a.mp4").c_str(), 0600), 0);
    EXPECT_THAT(error_of_reading("a.mp4"), HasSubstr("a.mp4: is a pipe, expected a file"));
}

TEST_F(BadVideo, TooFewOpenFilesAreNoFaultOfTheVideo) {
    ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=10:duration=1 " + file("a.mkv"));
    fs::create_directories(file("frames"));
    for (int i = 0; i < 3; ++i) write_png(file(fmt::format("frames/{}.png", i)), Image(8, 8, 1, 50));
    VideoOptions options;
    options.height = options.width = 8;
    VideoReader pictures(file("frames"), options);
    const test::NoMoreFiles none;
    EXPECT_THROW(VideoReader(file("a.mkv")), Shortage);
    EXPECT_THROW(pictures.next(), Shortage);
}

TEST_F(BadVideo, SoundAlone) {
    ffmpeg("-f lavfi -i sine=duration=1 " + file("a.wav"));
    ffmpeg("-f lavfi -i sine=duration=1 -c:a aac " + file("a.mp4"));
    EXPECT_THAT(error_of_reading("a.wav"), HasSubstr("sound alone"));
    EXPECT_THAT(error_of_reading("a.mp4"), HasSubstr("sound alone"));
}

TEST_F(BadVideo, NoFrameAndOneFrame) {
    ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=10:duration=0.1 " + file("one.mp4"));
    EXPECT_EQ(test::read_all(file("one.mp4")).size(), 1U);
    VideoOptions options;
    options.fps = 25;
    EXPECT_GE(test::read_all(file("one.mp4"), options).size(), 1U);
    // The header of a Matroska file alone.
    ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=10:duration=1 " + file("whole.mkv"));
    write_text(file("none.mkv"), read_text(file("whole.mkv")).substr(0, 700));
    EXPECT_THAT(error_of_reading("none.mkv"), HasSubstr("none.mkv"));
}

TEST_F(BadVideo, KeepsWhatATruncatedFileHolds) {
    ffmpeg(
        "-f lavfi -i testsrc2=size=160x120:rate=25:duration=8 -g 25 -movflags +faststart -pix_fmt yuv420p " +
        file("a.mp4"));
    ffmpeg("-i " + file("a.mp4") + " -c copy " + file("a.mkv"));
    for (const std::string name : {"a.mp4", "a.mkv"}) {
        const std::string bytes = read_text(file(name));
        write_text(file("cut-" + name), bytes.substr(0, bytes.size() / 2));
        VideoReader reader(file("cut-" + name));
        std::size_t count = 0;
        while (reader.next()) ++count;
        EXPECT_GT(count, 60U) << name;
        EXPECT_LT(count, 150U) << name;
        EXPECT_TRUE(reader.damage().any()) << name;
        EXPECT_NEAR(reader.damage().ends_early, 8 - static_cast<double>(count) / 25, 0.5) << name;
        EXPECT_THAT(to_string(reader.damage(), name), HasSubstr("ends")) << name;
    }
    // Without the index at its end nothing of it can be read.
    ffmpeg("-i " + file("a.mp4") + " -c copy " + file("tail.mp4"));
    const std::string bytes = read_text(file("tail.mp4"));
    write_text(file("tail.mp4"), bytes.substr(0, bytes.size() / 2));
    EXPECT_THAT(error_of_reading("tail.mp4"), HasSubstr("moov atom not found"));
}

TEST_F(BadVideo, LeavesOutDamagedFrames) {
    for (const std::string kind :
         {"-c:v libx264 -g 10 -movflags +faststart a.mp4", "-c:v mpeg4 -g 10 a.avi"}) {
        const std::string name = kind.substr(kind.rfind(' ') + 1);
        ffmpeg("-f lavfi -i testsrc2=size=160x120:rate=25:duration=4 " + kind.substr(0, kind.rfind(' ') + 1) +
               file(name));
        std::string bytes = read_text(file(name));
        for (std::size_t i = 0; i < 400; ++i) bytes[bytes.size() / 2 + i] = static_cast<char>(i * 37 + 11);
        write_text(file(name), bytes);
        VideoOptions options;
        options.threads = 1;  // several may give out a frame before they know that it is damaged
        VideoReader reader(file(name), options);
        std::size_t count = 0;
        bool gap = false;
        while (const auto frame = reader.next()) {
            ++count;
            gap = gap || frame->after_gap;
        }
        EXPECT_GE(count, 80U) << name;
        EXPECT_LT(count, 100U) << name;
        EXPECT_TRUE(gap) << name;
        EXPECT_GE(reader.damage().frames, 1) << name;
        EXPECT_THAT(to_string(reader.damage(), name), HasSubstr("damaged")) << name;
    }
}

TEST_F(BadVideo, TellsOfDamageThatTheDecoderHides) {
    for (const std::string kind : {"-c:v mjpeg a.avi", "-c:v ffv1 -slicecrc 1 -level 3 -g 1 a.mkv"}) {
        const std::string name = kind.substr(kind.rfind(' ') + 1);
        ffmpeg("-f lavfi -i testsrc2=size=160x120:rate=25:duration=4 " + kind.substr(0, kind.rfind(' ') + 1) +
               file(name));
        std::string bytes = read_text(file(name));
        for (std::size_t i = 0; i < 400; ++i) bytes[bytes.size() / 2 + i] = static_cast<char>(i * 37 + 11);
        write_text(file(name), bytes);
        VideoReader reader(file(name));
        while (reader.next()) {
        }
        EXPECT_TRUE(reader.damage().any()) << name;
        EXPECT_THAT(to_string(reader.damage(), name), HasSubstr("the decoder reported errors")) << name;
    }
}

TEST_F(BadVideo, LeavesOutDamagedPictures) {
    fs::create_directories(file("frames"));
    for (int i = 0; i < 6; ++i) write_png(file(fmt::format("frames/{}.png", i)), Image(8, 8, 1, 50));
    write_text(file("frames/2.png"), encode_png(Image(8, 8, 1, 50)).substr(0, 50));
    write_text(file("frames/0.png"), "no picture");
    VideoReader reader(file("frames"));
    std::vector<bool> gaps;
    while (const auto frame = reader.next()) gaps.push_back(frame->after_gap);
    EXPECT_THAT(gaps, ::testing::ElementsAre(true, true, false, false));
    EXPECT_EQ(reader.damage().frames, 2);
    EXPECT_THAT(to_string(reader.damage(), "frames"), AllOf(HasSubstr("2 of 6 frames"), HasSubstr("0.png")));
    for (int i = 0; i < 6; ++i) write_text(file(fmt::format("frames/{}.png", i)), "no picture");
    EXPECT_THAT(error_of_reading("frames"), HasSubstr("not one picture"));
}

TEST_F(BadVideo, PicturesThatVanish) {
    fs::create_directories(file("frames"));
    for (int i = 0; i < 40; ++i) write_png(file(fmt::format("frames/{}.png", i)), Image(8, 8, 1, 50));
    VideoOptions options;
    options.threads = 2;
    VideoReader reader(file("frames"), options);
    ASSERT_TRUE(reader.next());
    fs::remove_all(file("frames"));
    std::int64_t count = 1;
    while (reader.next()) ++count;
    EXPECT_GT(reader.damage().frames, 30);
    EXPECT_EQ(count + reader.damage().frames, 40);
    EXPECT_THAT(to_string(reader.damage(), "frames"), HasSubstr("no such file"));
}

TEST_F(BadVideo, SizeChangesMidStream) {
    // Transport streams can be joined as files.
    ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=10:duration=1 " + file("a.ts"));
    ffmpeg("-f lavfi -i testsrc2=size=48x80:rate=10:duration=1 " + file("b.ts"));
    write_text(file("ab.ts"), read_text(file("a.ts")) + read_text(file("b.ts")));
    const auto frames = test::read_all(file("ab.ts"));
    EXPECT_GE(frames.size(), 19U);
    EXPECT_TRUE(frames[frames.size() - 10].after_gap);
    VideoReader reader(file("ab.ts"));
    while (reader.next()) {
    }
    EXPECT_EQ(reader.damage().size_change, "96x64, then 48x80");
    EXPECT_THAT(to_string(reader.damage(), "ab.ts"), HasSubstr("the frame size changes (96x64, then 48x80)"));
    for (const auto& frame : frames) EXPECT_EQ(frame.image.width, 96);
    for (std::size_t i = 1; i < frames.size(); ++i) {
        EXPECT_GE(frames[i].time, frames[i - 1].time);
        EXPECT_LT(frames[i].time, 4);
    }
}

TEST_F(BadVideo, PicturesOfSeveralSizes) {
    fs::create_directories(file("frames"));
    for (int i = 0; i < 6; ++i)
        write_png(file(fmt::format("frames/{}.png", i)), Image(8, i < 3 ? 8 : 12, 1, 50));
    VideoReader reader(file("frames"));
    std::vector<bool> gaps;
    while (const auto frame = reader.next()) gaps.push_back(frame->after_gap);
    EXPECT_THAT(gaps, ::testing::ElementsAre(false, false, false, true, false, false));
    EXPECT_EQ(reader.damage().size_change, "8x8, then 12x8");
    EXPECT_EQ(reader.damage().frames, 0);
}

/// A piece is cut out of a stream of packets: the time that passed tells how much is gone, and no frame is
/// repeated over the hole.
TEST_F(BadVideo, CountsWhatIsGoneWithoutATrace) {
    ffmpeg("-f lavfi -i testsrc2=size=160x120:rate=25:duration=8 -c:v mpeg2video -g 1 -b:v 2M " +
           file("a.ts"));
    const std::string bytes = read_text(file("a.ts"));
    constexpr std::size_t packet = 188;
    const std::size_t packets = bytes.size() / packet;
    write_text(file("cut.ts"),
               bytes.substr(0, packets / 2 * packet) + bytes.substr((packets / 2 + packets / 5) * packet));
    for (const double fps : {0.0, 25.0}) {
        VideoOptions options;
        options.fps = fps;
        options.threads = 1;
        VideoReader reader(file("cut.ts"), options);
        std::int64_t count = 0, gaps = 0;
        while (const auto frame = reader.next()) {
            ++count;
            gaps += frame->after_gap ? 1 : 0;
        }
        EXPECT_LT(count, 175) << fps;
        EXPECT_GE(gaps, 1) << fps;
        EXPECT_NEAR(static_cast<double>(count + reader.damage().frames), 200, 2) << fps;
    }
}

TEST_F(BadVideo, HugeHeaderInATinyFile) {
    for (const auto& [side, why] : {std::pair{12000U, "--max-pixels"}, {60000U, "invalid"}}) {
        write_text(file("huge.png"), test::tiny_png_of(side, side));
        fs::create_directories(file("frames"));
        write_text(file("frames/huge.png"), test::tiny_png_of(side, side));
        const std::string size = fmt::format("{0}x{0}", side);
        EXPECT_THAT(error_of_reading("huge.png"), AllOf(HasSubstr(size), HasSubstr(why)));
        EXPECT_THAT(error_of_reading("frames"), AllOf(HasSubstr(size), HasSubstr(why)));
    }
    ffmpeg("-f lavfi -i color=red:size=64x64:rate=1:duration=1 " + file("a.jpg"));
    // The limit can be lowered as well.
    VideoOptions small;
    small.max_pixels = 1000;
    EXPECT_THAT(error_of_reading("a.jpg", small), HasSubstr("--max-pixels"));
    ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=10:duration=1 " + file("a.mp4"));
    EXPECT_THAT(error_of_reading("a.mp4", small), AllOf(HasSubstr("96x64"), HasSubstr("--max-pixels")));
}

TEST_F(BadVideo, ImpossibleWishes) {
    ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=10:duration=1 " + file("a.mp4"));
    VideoOptions options;
    options.stream = 3;
    EXPECT_THAT(error_of_reading("a.mp4", options), HasSubstr("stream 3"));
    options = {};
    options.channels = 2;
    EXPECT_THAT(error_of_reading("a.mp4", options), HasSubstr("2 channels"));
    options = {};
    options.height = options.width = 100000;
    EXPECT_THAT(error_of_reading("a.mp4", options), HasSubstr("--max-pixels"));
    options = {};
    options.fps = -1;
    EXPECT_THAT(error_of_reading("a.mp4", options), HasSubstr("frames per second"));
}

}  // namespace
}  // namespace stl
