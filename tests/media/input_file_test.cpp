// A file that is called a video reads nothing but itself.
#include <gmock/gmock.h>

#include <atomic>

#include "stl/media/png.h"
#include "stl/media/video_reader.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using test::ffmpeg;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class InputFileTest : public ::testing::Test {
  protected:
    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    void clip(const std::string& name, const std::string& options = "") const {
        ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=10:duration=1 " + options + " " + file(name));
    }
    std::string refusal(const std::string& name) const {
        const auto message = test::error_of([&] { test::read_all(file(name)); });
        EXPECT_THAT(message, AllOf(StartsWith(file(name) + ": "), HasSubstr("--allow-external")));
        return message;
    }
    std::size_t frames_allowed(const std::string& name) const {
        VideoOptions options;
        options.external.allowed = true;
        return test::read_all(file(name), options).size();
    }
    void playlist(const std::string& name, const std::string& end = "#EXT-X-ENDLIST\n") const {
        clip("part.ts");
        write_text(file(name),
                   "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\npart.ts\n" + end);
    }
    test::TemporaryFolder folder_;
};

TEST_F(InputFileTest, AnHlsPlaylistIsReportedAsOne) {
    playlist("clip.m3u8");
    playlist("clip.mp4");
    EXPECT_THAT(refusal("clip.mp4"), HasSubstr("is an HLS playlist, which refers to other files"));
    EXPECT_THAT(refusal("clip.m3u8"), HasSubstr("is an HLS playlist, which refers to other files"));
    EXPECT_EQ(frames_allowed("clip.m3u8"), 10U);
}

TEST_F(InputFileTest, AListOfClipsIsReportedAsOne) {
    clip("part.mp4");
    write_text(file("clip.mp4"), "ffconcat version 1.0\nfile part.mp4\nfile part.mp4\n");
    EXPECT_THAT(refusal("clip.mp4"), HasSubstr("is a list of clips (ffconcat), which refers to other files"));
    EXPECT_EQ(frames_allowed("clip.mp4"), 20U);
}

TEST_F(InputFileTest, OtherFormatsThatNameFilesAreReportedAsSuch) {
    write_text(file("dash.mp4"),
               "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
               "profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\" type=\"static\" "
               "mediaPresentationDuration=\"PT1S\"><Period></Period></MPD>\n");
    write_text(file("sdp.mp4"),
               "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
               "a=rtpmap:96 H264/90000\n");
    write_text(file("sub.mp4"),
               "# VobSub index file, v7 (do not modify this line!)\nsize: 720x576\nid: en, index: 0\n"
               "timestamp: 00:00:01:000, filepos: 000000000\n");
    write_text(file("sub.sub"), "");
    EXPECT_THAT(refusal("dash.mp4"), HasSubstr("is a DASH manifest"));
    EXPECT_THAT(refusal("sdp.mp4"), HasSubstr("network streams (SDP)"));
    EXPECT_THAT(refusal("sub.mp4"), HasSubstr("is a VobSub index"));
}

TEST_F(InputFileTest, APatternInTheNameIsPartOfTheName) {
    // FFmpeg by itself would read 1.png and 2.png.
    for (int i = 1; i <= 2; ++i) write_png(file(fmt::format("{}.png", i)), Image(8, 8, 1, 50));
    write_png(file("%d.png"), Image(16, 24, 1, 50));
    write_png(file("*.png"), Image(16, 24, 1, 50));
    for (const std::string name : {"%d.png", "*.png"}) {
        const auto frames = test::read_all(file(name));
        ASSERT_EQ(frames.size(), 1U) << name;
        EXPECT_EQ(frames.front().image.width, 24) << name;
    }
}

TEST_F(InputFileTest, FormatsThatOpenTheirOwnFileOnceMoreMay) {
    clip("a.tga", "-frames:v 1");  // known by its name alone, and opened by the format itself
    EXPECT_EQ(test::read_all(file("a.tga")).size(), 1U);
    fs::rename(file("a.tga"), file("a%03d.tga"));
    EXPECT_EQ(test::read_all(file("a%03d.tga")).size(), 1U);
}

TEST_F(InputFileTest, WhatIsCommonIsReadAsBefore) {
    const std::vector<std::string> kinds{
        "a.mp4",           "a.mov",  "a.mkv",   "a.webm",
        "a.avi",           "a.ts",   "a.mpg",   "a.flv",
        "a.wmv",           "a.gif",  "a.y4m",   "a.nut",
        "a.h264",          "a.ogv",  "a.mjpeg", "-c:v libvpx a.ivf",
        "a.apng",          "a.m2ts", "a.mxf",   "-s 720x576 -pix_fmt yuv420p a.dv",
        "-c:v mpeg4 a.3gp"};
    for (const auto& kind : kinds) {
        const auto name = kind.substr(kind.rfind(' ') + 1);
        ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=25:duration=1 " +
               kind.substr(0, kind.size() - name.size()) + file(name));
        EXPECT_GE(test::read_all(file(name)).size(), 19U) << kind;
    }
    VideoOptions late;  // by seeking
    late.start = 0.5;
    for (const std::string name : {"a.mp4", "a.mkv", "a.avi", "a.ts", "a.webm"})
        EXPECT_NEAR(static_cast<double>(test::read_all(file(name), late).size()), 12, 1) << name;
    for (const std::string name : {"b.png", "b.jpg", "b.bmp", "b.tif", "b.webp", "b.ppm", "b.pgm"}) {
        clip(name, "-frames:v 1");
        EXPECT_EQ(test::read_all(file(name)).size(), 1U) << name;
    }
}

TEST_F(InputFileTest, StoppingEndsAnyReading) {
    clip("a.mp4");
    playlist("live.m3u8", "");  // FFmpeg waits for more of it
    std::atomic<int> asked = 0;
    for (const bool external : {false, true}) {
        VideoOptions options;
        options.external.allowed = external;
        for (const int after : {0, 2, 5}) {
            asked = 0;
            options.stop = [&] { return ++asked > after; };
            EXPECT_THROW(test::read_all(file("a.mp4"), options), Interrupted) << after;
        }
    }
    VideoOptions options;
    options.external.allowed = true;
    const auto begun = std::chrono::steady_clock::now();
    options.stop = [&] { return std::chrono::steady_clock::now() - begun > std::chrono::seconds(2); };
    EXPECT_THROW(test::read_all(file("live.m3u8"), options), Interrupted);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));

    fs::create_directories(file("frames"));
    for (int i = 0; i < 5; ++i) write_png(file(fmt::format("frames/{}.png", i)), Image(8, 8, 1, 50));
    options.stop = [] { return true; };
    EXPECT_THROW(test::read_all(file("frames"), options), Interrupted);
}

}  // namespace
}  // namespace stl
