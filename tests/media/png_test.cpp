#include "stl/media/png.h"

#include <gmock/gmock.h>

#include "tests/media/tools.h"

namespace stl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Image pattern(int height, int width, int channels) {
    Image image(height, width, channels);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
        image.pixels[i] = static_cast<std::uint8_t>(i * 7 + i / 13);
    return image;
}

TEST(Png, GivesBackWhatWasWritten) {
    const test::TemporaryFolder folder;
    for (int channels = 1; channels <= 4; ++channels) {
        const Image image = pattern(9, 14, channels);
        write_png(folder / "a.png", image);
        EXPECT_EQ(read_png(folder / "a.png"), image) << channels;
    }
    EXPECT_EQ(encode_png(pattern(5, 5, 3)), encode_png(pattern(5, 5, 3)));
}

TEST(Png, IsReadByFfmpegToo) {
    const test::TemporaryFolder folder;
    write_png(folder / "a.png", pattern(8, 10, 3));
    EXPECT_EQ(test::decode_with_ffmpeg(folder / "a.png", 8, 10, 3).at(0), pattern(8, 10, 3));
}

TEST(Png, ReadsPalettesAnd16Bits) {
    const test::TemporaryFolder folder;
    const std::string picture = "-f lavfi -i testsrc2=size=64x48:rate=1:duration=1 ";
    test::ffmpeg(picture + "-pix_fmt pal8 " + (folder / "pal.png").string());
    test::ffmpeg(picture + "-pix_fmt rgb48be " + (folder / "deep.png").string());
    EXPECT_EQ(to_rgb(read_png(folder / "pal.png")),
              test::decode_with_ffmpeg(folder / "pal.png", 48, 64, 3).at(0));
    EXPECT_LE(test::largest_difference(read_png(folder / "deep.png"),
                                       test::decode_with_ffmpeg(folder / "deep.png", 48, 64, 3).at(0)),
              2);
}

TEST(Png, RefusesDamagedFiles) {
    const test::TemporaryFolder folder;
    const std::string whole = encode_png(pattern(40, 40, 3));
    const fs::path path = folder / "bad.png";
    write_text(path, "plain text");
    EXPECT_THAT(test::error_of([&] { read_png(path); }), AllOf(HasSubstr("bad.png"), HasSubstr("not a PNG")));
    write_text(path, "");
    EXPECT_THAT(test::error_of([&] { read_png(path); }), HasSubstr("not a PNG"));
    for (const std::size_t length : {std::size_t{20}, std::size_t{40}, whole.size() / 2, whole.size() - 5}) {
        write_text(path, whole.substr(0, length));
        EXPECT_THAT(test::error_of([&] { read_png(path); }), HasSubstr("damaged PNG")) << length;
    }
    std::string broken = whole;
    broken[broken.size() / 2] = static_cast<char>(broken[broken.size() / 2] ^ 0x55);
    write_text(path, broken);
    EXPECT_THAT(test::error_of([&] { read_png(path); }), HasSubstr("damaged PNG"));
    EXPECT_THAT(test::error_of([&] { read_png(folder / "none.png"); }), HasSubstr("no such file"));
}

TEST(Png, RefusesAHugeHeaderBeforeAllocating) {
    const test::TemporaryFolder folder;
    write_text(folder / "huge.png", test::tiny_png_of(1000000, 1000000));
    EXPECT_THAT(test::error_of([&] { read_png(folder / "huge.png"); }),
                AllOf(HasSubstr("1000000x1000000"), HasSubstr("--max-pixels")));
}

}  // namespace
}  // namespace stl
