// Frame rates and lengths of clips whose container contradicts their time stamps.

#include <gmock/gmock.h>

#include "stl/media/video_reader.h"
#include "stl/media/video_writer.h"
#include "tests/media/timed_clip.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TimeLine : public ::testing::Test {
  protected:
    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    test::TemporaryFolder folder_;
};

/// What a reader says after the end.
struct Told {
    VideoInfo info;
    Damage damage;
    Timing timing;
    std::int64_t frames = 0, gaps = 0;
    double last = 0;
};
Told told_by(const fs::path& path, const VideoOptions& options = {}) {
    VideoReader reader(path, options);
    Told told;
    while (const auto frame = reader.next()) {
        ++told.frames;
        told.gaps += frame->after_gap ? 1 : 0;
        told.last = frame->time;
    }
    told.info = reader.info();
    told.damage = reader.damage();
    told.timing = reader.timing();
    return told;
}

std::vector<int> evenly(int frames, int step) {
    std::vector<int> times;
    for (int k = 0; k < frames; ++k) times.push_back(step * k);
    return times;
}

TEST_F(TimeLine, RateOfABrowsersRecording) {
    // Whole milliseconds, uneven, and no rate in the header, of which FFmpeg makes 240 or 1000.
    test::TimedClip clip;
    for (int k = 0; k < 25; ++k) clip.times.push_back(40 * k + 9 * (7 * k % 5));
    test::write_clip(file("a.mkv"), "matroska", clip);
    const Told told = told_by(file("a.mkv"));
    EXPECT_EQ(told.frames, 25);
    EXPECT_NEAR(told.info.fps, 25, 1);
    EXPECT_TRUE(told.timing.uneven);
    EXPECT_FALSE(told.damage.any()) << to_string(told.damage, "a.mkv");
}

TEST_F(TimeLine, RateOfAnUnevenGif) {
    std::vector<int> delays;
    for (int k = 0; k < 12; ++k) delays.push_back(10 + 7 * (5 * (k + 1) % 3) - 7 * (5 * k % 3));
    write_text(file("a.gif"), test::tiny_gif(delays));
    const Told told = told_by(file("a.gif"));
    EXPECT_EQ(told.frames, 12);
    EXPECT_NEAR(told.info.fps, 10, 0.8);
    EXPECT_TRUE(told.timing.uneven);
    EXPECT_THAT(to_string(told.timing), HasSubstr("uneven"));
}

TEST_F(TimeLine, RateThatFitsNoFrame) {
    test::TimedClip clip;
    for (int k = 0; k < 20; ++k) clip.times.push_back(k < 10 ? 1000 * k / 30 : 1000 * k);
    test::write_clip(file("a.mp4"), "mp4", clip);
    const Told told = told_by(file("a.mp4"));
    EXPECT_NEAR(told.info.fps, 1, 0.1);
    EXPECT_TRUE(told.timing.uneven);
}

TEST_F(TimeLine, EvenClipsKeepTheirRate) {
    for (const int rate : {10, 24, 30, 60, 120}) {
        test::TimedClip clip;
        clip.rate = rate;
        for (int k = 0; k < 60; ++k) clip.times.push_back((2000 * k + rate) / (2 * rate));
        test::write_clip(file("a.mkv"), "matroska", clip);
        const Told told = told_by(file("a.mkv"));
        EXPECT_DOUBLE_EQ(told.info.fps, rate);
        EXPECT_FALSE(told.timing.uneven) << rate;
        EXPECT_EQ(to_string(told.timing), "");
    }
}

TEST_F(TimeLine, SoundThatGoesOnIsNotTheVideos) {
    for (const auto& [name, container] :
         {std::pair{"a.mkv", "matroska"}, {"a.wmv", "asf"}, {"a.mov", "mov"}}) {
        test::write_clip(file(name), container, {evenly(20, 100), 100, 10, 6000});
        const Told told = told_by(file(name));
        EXPECT_EQ(told.frames, 20) << name;
        EXPECT_NEAR(told.info.duration, 2, 0.011) << name;
        EXPECT_FALSE(told.damage.any()) << to_string(told.damage, name);
    }
}

TEST_F(TimeLine, ACutOffFileWithSoundEndsEarly) {
    test::write_clip(file("a.mkv"), "matroska", {evenly(80, 100), 100, 10, 8000});
    const std::string bytes = read_text(file("a.mkv"));
    write_text(file("cut.mkv"), bytes.substr(0, bytes.size() / 2));
    const Told told = told_by(file("cut.mkv"));
    EXPECT_NEAR(told.damage.ends_early, 4, 1.5);
}

TEST_F(TimeLine, PausesStay) {
    test::TimedClip clip{evenly(10, 200), 0, 5, 0};
    for (std::size_t k = 5; k < 10; ++k) clip.times[k] += 100000;
    for (const auto& [name, container] : {std::pair{"a.mp4", "mp4"}, {"a.mkv", "matroska"}}) {
        test::write_clip(file(name), container, clip);
        const Told told = told_by(file(name));
        EXPECT_EQ(told.frames, 10) << name;
        EXPECT_NEAR(told.last, 101.8, 1e-6) << name;
        EXPECT_FALSE(told.damage.any()) << to_string(told.damage, name);
        VideoOptions options;
        options.fps = 1;
        EXPECT_EQ(told_by(file(name), options).frames, 102) << name;
    }
}

TEST_F(TimeLine, ASecondFilmBehindTheFirstIsTold) {
    test::write_clip(file("a.mp4"), "mp4", {evenly(5, 200), 200, 5, 0});
    write_text(file("a.gif"), test::tiny_gif({20, 20, 20, 20}));
    for (const std::string name : {"a.mp4", "a.gif"}) {
        const std::string bytes = read_text(file(name));
        EXPECT_EQ(told_by(file(name)).damage.second_film, 0) << name;
        write_text(file("two-" + name), bytes + bytes);
        const Told told = told_by(file("two-" + name));
        EXPECT_EQ(told.damage.second_film, std::ssize(bytes)) << name;
        EXPECT_THAT(to_string(told.damage, name),
                    HasSubstr(fmt::format("{} bytes after the end of the video", bytes.size())));
        write_text(file("tail-" + name), bytes + std::string(100, '\0'));
        EXPECT_EQ(told_by(file("tail-" + name)).damage.second_film, 0) << name;
    }
}

TEST_F(TimeLine, WhatTheContainerLosesIsAGap) {
    test::write_clip(file("a.mkv"), "matroska", {evenly(120, 40), 40, 25, 0});
    std::string bytes = read_text(file("a.mkv"));
    // The headers of three blocks: simple blocks of track 1 before each PNG.
    std::size_t at = 0;
    for (int k = 0; k < 28; ++k) {
        at = bytes.find("\x89PNG", at + 1);
        ASSERT_NE(at, std::string::npos);
        if (k >= 25) std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at) - 6, 6, '\0');
    }
    write_text(file("hole.mkv"), bytes);
    const Told told = told_by(file("hole.mkv"));
    EXPECT_LT(told.frames, 120);
    EXPECT_EQ(told.gaps, 1);
    EXPECT_EQ(told.frames + told.damage.frames, 120);
}

TEST_F(TimeLine, WritersTakeTheRatesThatTheyCanChange) {
    VideoWriteOptions options;
    options.fps = 10000;
    const auto folder = create_video(file("frames"), options);
    folder->add(Image(8, 8, 1, 100));
    folder->finish();
    EXPECT_TRUE(fs::exists(file("frames/frame_0000.png")));
    EXPECT_THAT(test::error_of([&] { create_video(file("a.mp4"), options); }),
                AllOf(HasSubstr("10000 frames/s"), HasSubstr("--fps")));
}

/// Without a rate to be read at, what lies that far apart shows no motion.
TEST_F(TimeLine, APauseIsAGapOfStoredFrames) {
    test::TimedClip clip{evenly(10, 200), 0, 5, 0};
    for (std::size_t k = 5; k < 10; ++k) clip.times[k] += 20000;
    test::write_clip(file("a.mkv"), "matroska", clip);
    EXPECT_EQ(told_by(file("a.mkv")).gaps, 1);
    VideoOptions options;
    options.fps = 5;
    EXPECT_EQ(told_by(file("a.mkv"), options).gaps, 0) << "it is time like any other";
    test::write_clip(file("slow.mkv"), "matroska", {evenly(10, 5000), 5000, 0, 0});
    EXPECT_EQ(told_by(file("slow.mkv")).gaps, 0);
}

TEST_F(TimeLine, JoinedFilesAreMeasuredAndHaveAGap) {
    test::write_clip(file("a.mkv"), "matroska", {evenly(50, 40), 40, 25, 0});
    const std::string bytes = read_text(file("a.mkv"));
    write_text(file("two.mkv"), bytes + bytes);
    const Told told = told_by(file("two.mkv"));
    EXPECT_EQ(told.frames, 100);
    EXPECT_EQ(told.gaps, 1);
    EXPECT_NEAR(told.info.duration, 4, 0.05) << "as read";
    VideoOptions options;
    options.measured = true;
    EXPECT_NEAR(VideoReader(file("two.mkv"), options).info().duration, 4, 0.05) << "before";
    EXPECT_NEAR(VideoReader(file("a.mkv"), options).info().duration, 2, 0.05);
    // What says nothing of its length.
    test::ffmpeg("-f lavfi -i testsrc2=size=16x16:rate=25:duration=2 -c:v libx264 " + file("a.h264"));
    EXPECT_NEAR(VideoReader(file("a.h264"), options).info().duration, 2, 0.05);
}

TEST_F(TimeLine, TimeBeginsWhereTheSoundDoes) {
    std::vector<int> late = evenly(20, 100);
    for (int& time : late) time += 3000;
    for (const auto& [name, container] : {std::pair{"a.mkv", "matroska"}, {"a.mov", "mov"}}) {
        test::write_clip(file(name), container, {late, 100, 10, 5000});
        const Told told = told_by(file(name));
        EXPECT_NEAR(told.last, 4.9, 0.011) << name;
        EXPECT_NEAR(told.info.duration, 5, 0.011) << name;
        VideoOptions options;
        options.start = 4;
        options.end = 4.5;
        EXPECT_EQ(told_by(file(name), options).frames, 5) << name;
        // Without sound, a player begins with the pictures.
        test::write_clip(file(name), container, {late, 100, 10, 0});
        EXPECT_NEAR(told_by(file(name)).last, 1.9, 0.011) << name;
    }
}

/// AVI has no time stamps but the order of decoding.
TEST_F(TimeLine, AviWithReorderedFramesStartsWhereItIsAsked) {
    for (const std::string codec : {"mpeg4 -bf 2", "libx264 -bf 2"}) {
        test::ffmpeg("-f lavfi -i testsrc=size=64x48:rate=25:duration=4 -g 25 -c:v " + codec + " " +
                     file("a.avi"));
        const auto all = test::read_all(file("a.avi"));
        VideoOptions options;
        options.start = 3;
        options.end = 3.2;
        const auto some = test::read_all(file("a.avi"), options);
        ASSERT_EQ(some.size(), 5U) << codec;
        EXPECT_EQ(some[0].image, all[75].image) << codec;
    }
}

TEST_F(TimeLine, LastFramesAreThoseThatNoGapParts) {
    test::TimedClip clip{evenly(20, 100), 100, 10, 0};
    for (std::size_t k = 17; k < 20; ++k) clip.times[k] += 60000;
    test::write_clip(file("a.mkv"), "matroska", clip);
    bool earlier = false;
    EXPECT_NEAR(read_last_frames(file("a.mkv"), 3, {}, nullptr, &earlier).back().time, 61.9, 1e-3);
    EXPECT_FALSE(earlier);
    const auto frames = read_last_frames(file("a.mkv"), 4, {}, nullptr, &earlier);
    EXPECT_NEAR(frames.back().time, 1.6, 1e-3);
    EXPECT_EQ(frames.size(), 4U);
    EXPECT_TRUE(earlier);
    EXPECT_NEAR(read_last_frames(file("a.mkv"), 18, {}, nullptr, &earlier).back().time, 61.9, 1e-3)
        << "there are none";
    EXPECT_TRUE(earlier);
}

TEST_F(TimeLine, DepthThatIsNotKeptIsTold) {
    const std::string clip = "-f lavfi -i testsrc2=size=16x16:rate=5:duration=0.4 -c:v ffv1 -pix_fmt ";
    const auto told = [&](const std::string& format) {
        test::ffmpeg(clip + format + " " + file("a.mkv"));
        return to_string(told_by(file("a.mkv")).damage, "a.mkv");
    };
    EXPECT_THAT(told("yuv420p10le"), HasSubstr("has colours of 10 bits, of which 8 are kept"));
    EXPECT_THAT(told("yuv420p"), Not(HasSubstr("bits")));
    EXPECT_THAT(told("gray16le"), Not(HasSubstr("bits"))) << "kept where asked for";
}

}  // namespace
}  // namespace stl
