// Folders of pictures as people have them: hidden files, links, gaps, other kinds, several films, stacks.

#include <gmock/gmock.h>

#include "stl/media/picture_decoder.h"
#include "stl/media/picture_pieces.h"
#include "stl/media/png.h"
#include "stl/media/video_reader.h"
#include "tests/media/stacks.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using test::ffmpeg;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// The pieces of names in natural order, "f_1 f_2 | f_5".
std::string pieces(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& piece : picture_pieces(names)) {
        if (!text.empty()) text += " |";
        for (const auto i : piece) text += (text.empty() ? "" : " ") + names[i];
    }
    return text;
}

TEST(PicturePieces, ACounterThatJumpsBeginsAnother) {
    EXPECT_EQ(pieces({"f_01", "f_02", "f_03", "f_07", "f_08", "f_09"}), "f_01 f_02 f_03 | f_07 f_08 f_09");
    EXPECT_EQ(pieces({"0", "10", "20", "40", "50"}), "0 10 20 | 40 50") << "steps of ten";
    EXPECT_EQ(pieces({"9", "10", "11"}), "9 10 11");
    EXPECT_EQ(pieces({"09", "10", "11"}), "09 10 11");
    EXPECT_EQ(pieces({}), "");
    EXPECT_EQ(pieces({"7"}), "7");
}

TEST(PicturePieces, SoDoesAnotherNumbering) {
    EXPECT_EQ(pieces({"a_1", "a_2", "b_1", "b_2"}), "a_1 a_2 | b_1 b_2");
    EXPECT_EQ(pieces({"cam1_1", "cam1_2", "cam2_1", "cam2_2"}), "cam1_1 cam1_2 | cam2_1 cam2_2");
    EXPECT_EQ(pieces({"1_left", "1_right", "2_left", "2_right"}), "1_left 2_left | 1_right 2_right");
    EXPECT_EQ(pieces({"001", "1", "002", "2", "003", "3"}), "001 002 003 | 1 2 3");
    EXPECT_EQ(pieces({"cover", "f1", "f2", "f3"}), "cover | f1 f2 f3");
}

TEST(PicturePieces, WhatIsBesideTheCounterMayChange) {
    EXPECT_EQ(pieces({"f_1_t0.9", "f_2_t1.0", "f_3_t1.1", "f_4_t1.1"}),
              "f_1_t0.9 f_2_t1.0 f_3_t1.1 f_4_t1.1");
}

TEST(PicturePieces, DatesCountAsTime) {
    EXPECT_EQ(pieces({"2024-02-28_23-55-00", "2024-02-29_00-00-00", "2024-02-29_00-05-01",
                      "2024-02-29_00-30-00", "2024-02-29_00-35-00"}),
              "2024-02-28_23-55-00 2024-02-29_00-00-00 2024-02-29_00-05-01 | 2024-02-29_00-30-00 "
              "2024-02-29_00-35-00");
    EXPECT_EQ(pieces({"IMG_20241231_235959", "IMG_20250101_000000", "IMG_20250101_000001"}),
              "IMG_20241231_235959 IMG_20250101_000000 IMG_20250101_000001");
}

TEST(PicturePieces, NamesThatDoNotCountAreOnePiece) {
    EXPECT_EQ(pieces({"cat", "dog", "tree 2"}), "cat dog tree 2");
    EXPECT_EQ(pieces({"3f9ab1", "77c0e2", "a0b1c2"}), "3f9ab1 77c0e2 a0b1c2");
}

class PictureListTest : public ::testing::Test {
  protected:
    PictureListTest() { fs::create_directories(file("frames")); }
    fs::path file(const std::string& name) const { return folder_ / name; }
    void picture(const std::string& name, int value) const {
        write_png(file("frames/" + name), Image(4, 4, 1, static_cast<std::uint8_t>(value)));
    }
    /// Values of the frames, -1 before those that come after a gap; what is told of them goes to told_.
    std::vector<int> values(const std::string& name = "frames") {
        VideoOptions options;
        options.channels = 1;
        VideoReader reader(file(name), options);
        std::vector<int> out;
        while (const auto frame = reader.next()) {
            if (frame->after_gap) out.push_back(-1);
            out.push_back(frame->image.pixels[0]);
        }
        told_ = reader.damage().any() ? to_string(reader.damage(), name) : "";
        format_ = reader.info().format;
        return out;
    }
    std::string error_of_reading(const std::string& name) {
        return test::error_of([&] { values(name); });
    }

    test::TemporaryFolder folder_;
    std::string told_, format_;
};

TEST_F(PictureListTest, HiddenFilesAreNotPictures) {
    for (int i = 0; i < 4; ++i) {
        picture(fmt::format("{}.png", i), i);
        write_text(file(fmt::format("frames/._{}.png", i)), "Mac OS X        ");
    }
    EXPECT_THAT(values(), ElementsAre(0, 1, 2, 3));
    EXPECT_EQ(format_, "4 pictures");
    EXPECT_EQ(told_, "");
    fs::create_directories(file("__MACOSX"));
    write_text(file("__MACOSX/._0.png"), "Mac OS X        ");
    EXPECT_THAT(error_of_reading("__MACOSX"), HasSubstr("no pictures"));
}

TEST_F(PictureListTest, LinksAreFollowed) {
    for (int i = 0; i < 3; ++i) {
        write_png(file(fmt::format("{}.png", i)), Image(4, 4, 1, static_cast<std::uint8_t>(i)));
        fs::create_symlink(file(fmt::format("{}.png", i)), file(fmt::format("frames/{}.png", i)));
    }
    EXPECT_THAT(values(), ElementsAre(0, 1, 2));
    EXPECT_EQ(told_, "");
}

/// Whichever entry the file system names last.
TEST_F(PictureListTest, LinksThatLeadNowhereArePassedOver) {
    for (int i = 0; i < 8; ++i) picture(fmt::format("{}.png", i), i);
    fs::create_symlink("/nowhere", file("frames/x"));
    EXPECT_EQ(values().size(), 8U);
    for (const auto* name : {"8.png", "9.png"}) fs::create_symlink("/nowhere", file("frames") / name);
    EXPECT_EQ(values().size(), 8U);
    EXPECT_THAT(told_, HasSubstr("2 links (8.png) point to no file"));
    fs::remove(file("frames/3.png"));
    fs::create_symlink("3.png", file("frames/3.png"));
    EXPECT_THAT(values(), ElementsAre(0, 1, 2, -1, 4, 5, 6, 7));
    EXPECT_THAT(told_, HasSubstr("3 links (3.png)"));
}

TEST_F(PictureListTest, AGapInTheNumbersIsAGap) {
    for (const int i : {1, 2, 3, 7, 8, 9}) picture(fmt::format("f_{:02}.png", i), i);
    EXPECT_THAT(values(), ElementsAre(1, 2, 3, -1, 7, 8, 9));
    EXPECT_EQ(told_, "frames: 1 gap in the pictures' numbers: f_03.png is followed by f_07.png");
}

TEST_F(PictureListTest, TwoFilmsInAFolderAreReadOneAfterTheOther) {
    for (int i = 1; i <= 3; ++i) {
        picture(fmt::format("{}_left.png", i), i);
        picture(fmt::format("{}_right.png", i), 10 * i);
    }
    EXPECT_THAT(values(), ElementsAre(1, 2, 3, -1, 10, 20, 30));
    EXPECT_THAT(told_, HasSubstr("3_left.png is followed by 1_right.png"));
}

TEST_F(PictureListTest, KindsThatCannotBeReadAreTold) {
    for (const int i : {0, 2, 3}) picture(fmt::format("{}.png", i), i);
    write_text(file("frames/1.heic"), "not for us");
    write_text(file("frames/2.HEIC"), "the same as 2.png");
    EXPECT_THAT(values(), ElementsAre(0, -1, 2, 3));
    EXPECT_EQ(
        told_,
        "frames: 1 of 4 pictures is of a kind that can't be read (.heic) and passed over; PNG or JPEG can");
    for (const int i : {0, 2, 3}) fs::remove(file(fmt::format("frames/{}.png", i)));
    EXPECT_THAT(error_of_reading("frames"), AllOf(HasSubstr("no pictures"), HasSubstr(".heic")));
}

TEST_F(PictureListTest, TextPicturesAreReadAsTheSingleFileIs) {
    const std::string row = "1 2 3 4 ";
    write_text(file("frames/0.pgm"), "P2 4 4 9\n" + row + row + row + row);
    VideoOptions options;
    options.channels = 1;
    const auto frames = test::read_all(file("frames"), options);
    ASSERT_EQ(frames.size(), 1U);
    const auto& pixels = frames[0].image.pixels;
    EXPECT_THAT(std::vector(pixels.begin(), pixels.begin() + 4), ElementsAre(28, 57, 85, 113));
    EXPECT_EQ(frames[0].image, test::read_all(file("frames/0.pgm"), options).at(0).image);
    write_text(file("frames/0.pgm"), "P3 2 1 255\n255 0 0  0 0 255\n");
    EXPECT_THAT(test::read_all(file("frames")).at(0).image.pixels, ElementsAre(255, 0, 0, 0, 0, 255));
}

TEST_F(PictureListTest, OtherNamesAndKindsAreReadAsTheSingleFileIs) {
    for (const std::string kind : {"jfif -f mjpeg", "jpe -f mjpeg", "dib -f image2 -c:v bmp", "pbm", "pam",
                                   "jp2", "tga", "dpx", "sgi", "exr", "ras -f image2 -c:v sunrast"}) {
        const std::string ending = kind.substr(0, kind.find(' '));
        const std::string name = "frames/0." + ending;
        ffmpeg("-f lavfi -i testsrc2=size=64x48 -frames:v 1 -q:v 1 " + kind.substr(ending.size()) + " " +
               file(name).string());
        const auto frames = test::read_all(file("frames"));
        ASSERT_EQ(frames.size(), 1U) << kind;
        EXPECT_LE(test::largest_difference(frames[0].image, test::read_all(file(name)).at(0).image), 1)
            << kind;
        fs::remove(file(name));
    }
}

TEST_F(PictureListTest, PagesOfATiffAreAFilm) {
    for (const bool little : {true, false}) {
        write_text(file("stack.tif"), test::tiff_of({10, 20, 30, 40}, little));
        EXPECT_THAT(values("stack.tif"), ElementsAre(10, 20, 30, 40));
        EXPECT_EQ(format_, "4 pages");
    }
    write_text(file("preview.tif"), test::tiff_of({10, 20}, true, {1}));
    EXPECT_THAT(values("preview.tif"), ElementsAre(10)) << "the second one is a small copy of the first";
}

TEST_F(PictureListTest, NoStackIsTakenForItsFirstPicture) {
    for (int i = 0; i < 3; ++i)
        write_text(file(fmt::format("frames/{}.tif", i)), test::tiff_of({10, 20, 30, 40}, true));
    EXPECT_THAT(error_of_reading("frames"), AllOf(HasSubstr("0.tif"), HasSubstr("4 pages")));
    fs::remove_all(file("frames"));
    fs::create_directories(file("frames"));
    ffmpeg("-f lavfi -i testsrc2=size=16x16:rate=10:duration=0.4 -f apng " + file("frames/0.png").string());
    EXPECT_THAT(error_of_reading("frames"), HasSubstr("4 frames (an animated PNG)"));
    EXPECT_EQ(test::read_all(file("frames/0.png")).size(), 4U);
}

TEST_F(PictureListTest, AStackOfAnotherKindIsRefusedByName) {
    using namespace std::string_literals;
    const std::string frame = "ANMF\4\0\0\0abcd"s;
    write_text(file("a.webp"),
               "RIFF\0\0\0\0WEBPVP8X\12\0\0\0\2\0\0\0\17\0\0\17\0\0"s + frame + frame + frame);
    EXPECT_THAT(error_of_reading("a.webp"),
                AllOf(HasSubstr("3 frames (an animated WebP)"), HasSubstr("GIF")));
    write_text(file("big.tif"), "II+\0\10\0\0\0"s);
    EXPECT_THAT(error_of_reading("big.tif"), HasSubstr("BigTIFF"));
}

TEST_F(PictureListTest, DamagedStacksEndWhereTheyAreDamaged) {
    const std::string whole = test::tiff_of({10, 20, 30, 40}, true);
    for (std::size_t length = 8; length < whole.size(); length += 7) {
        write_text(file("cut.tif"), whole.substr(0, length));
        try {
            values("cut.tif");
        } catch (const Error&) {
        }
    }
    std::string circle = whole;
    circle.replace(circle.size() - 4, 4,
                   std::string("\x08\0\0\0", 4));  // the last page is followed by the first
    write_text(file("circle.tif"), circle);
    EXPECT_EQ(values("circle.tif").size(), 4U);
}

TEST_F(PictureListTest, HdrCurvesAndInterlacingAreTold) {
    const std::string moving = "-f lavfi -i testsrc2=size=64x64:rate=50:duration=0.4 ";
    ffmpeg(moving + "-c:v libx264 -pix_fmt yuv420p10le -color_trc smpte2084 " + file("pq.mp4").string());
    ffmpeg(moving + "-c:v libx264 -pix_fmt yuv420p10le -color_trc arib-std-b67 " + file("hlg.mp4").string());
    ffmpeg(moving + "-c:v libx264 -pix_fmt yuv420p " + file("plain.mp4").string());
    ffmpeg(moving + "-vf interlace -c:v mpeg2video -flags +ilme+ildct " + file("i.mpg").string());
    values("pq.mp4");
    EXPECT_THAT(told_, AllOf(HasSubstr("pq.mp4: is HDR (the PQ curve)"), Not(HasSubstr("reported errors"))));
    values("hlg.mp4");
    EXPECT_THAT(told_, HasSubstr("HLG"));
    values("i.mpg");
    EXPECT_THAT(told_, HasSubstr("interlaced"));
    values("plain.mp4");
    EXPECT_EQ(told_, "");
}

}  // namespace
}  // namespace stl
