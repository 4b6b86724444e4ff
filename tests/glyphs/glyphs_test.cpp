// Glyphs from IDX files and folders of PNGs.
#include "stl/glyphs/glyphs.h"

#include <zlib.h>

#include "stl/core/digest.h"
#include "stl/core/locate.h"
#include "stl/media/png.h"
#include "tests/support/environment.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::string idx(std::uint32_t magic, std::uint32_t count, std::uint32_t rows, std::uint32_t columns,
                std::size_t pixels) {
    std::string bytes;
    for (const auto number : {magic, count, rows, columns})
        for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
    for (std::size_t i = 0; i < pixels; ++i) bytes += static_cast<char>(i);
    return bytes;
}

std::string gzip(const fs::path& path, const std::string& bytes) {
    const auto file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return read_text(path);
}

Image picture(int height, int width, int channels, std::vector<std::uint8_t> pixels) {
    Image image(height, width, channels);
    image.pixels = std::move(pixels);
    return image;
}

TEST(Glyphs, ComeFromIdxPlainOrGzip) {
    const test::TemporaryFolder folder;
    const auto bytes = idx(0x803, 3, 2, 4, 24);
    test::write_bytes(folder / "plain", bytes);
    gzip(folder / "train-images-idx3-ubyte.gz", bytes);
    for (const auto& path : {folder / "plain", folder / "train-images-idx3-ubyte.gz", folder.path()}) {
        const auto glyphs = load_glyphs(path);
        EXPECT_EQ(glyphs.count, 3) << path;
        EXPECT_EQ(glyphs.height, 2) << path;
        EXPECT_EQ(glyphs.width, 4) << path;
        EXPECT_THAT(glyphs.picture(2), ElementsAre(16, 17, 18, 19, 20, 21, 22, 23)) << path;
    }
}

TEST(Glyphs, ComeFromAFolderOfPngs) {
    const test::TemporaryFolder folder;
    write_png(folder / "b.png", picture(1, 2, 1, {30, 40}));
    write_png(folder / "a.png", picture(1, 2, 3, {10, 10, 10, 20, 20, 20}));
    const auto glyphs = load_glyphs(folder.path());
    EXPECT_EQ(glyphs.count, 2);
    EXPECT_THAT(glyphs.picture(0), ElementsAre(10, 20));
    EXPECT_THAT(glyphs.picture(1), ElementsAre(30, 40));
    write_png(folder / "c.png", picture(1, 1, 1, {30}));
    EXPECT_THAT(error_of([&] { load_glyphs(folder.path()); }),
                HasSubstr("c.png: 1x1, the glyphs before it are 2x1"));
}

TEST(Glyphs, ShippedOnesAreTheOriginals) {
    // Digests of the unpacked files as their authors published them.
    const std::vector<std::tuple<std::string, std::string, std::int64_t>> files{
        {"mnist/train-images-idx3-ubyte.gz",
         "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 60000},
        {"fashion-mnist/train-images-idx3-ubyte.gz",
         "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", 60000}};
    const test::TemporaryFolder folder;
    for (const auto& [name, digest, count] : files) {
        const auto path = locate_dataset(name);
        ASSERT_TRUE(path) << name;
        const auto bytes = read_maybe_gzip(*path);
        test::write_bytes(folder / "unpacked", bytes);
        EXPECT_EQ(sha256_file(folder / "unpacked"), digest) << name;
        EXPECT_EQ(parse_idx(bytes, name).count, count);
    }
    EXPECT_EQ(load_glyphs(*locate_dataset("mnist/t10k-images-idx3-ubyte.gz")).count, 10000);
}

TEST(Glyphs, DamagedFilesAreRefused) {
    const test::TemporaryFolder folder;
    const auto message = [&](const std::string& bytes) {
        test::write_bytes(folder / "glyphs", bytes);
        return error_of([&] { load_glyphs(folder / "glyphs"); });
    };
    const auto good = idx(0x803, 3, 2, 4, 24);
    EXPECT_THAT(message(""), HasSubstr("glyphs: is empty"));
    EXPECT_THAT(message("ab"), HasSubstr("glyphs: 2 bytes"));
    EXPECT_THAT(message(good.substr(0, 10)), HasSubstr("truncated"));
    EXPECT_THAT(message(good.substr(0, 39)),
                HasSubstr("23 bytes of pixels, expected 24 (3 pictures of 4x2)"));
    EXPECT_THAT(message(good + "x"), HasSubstr("25 bytes of pixels, expected 24"));
    EXPECT_THAT(message("PK\x03\x04" + good), HasSubstr("starts with 0x504b0304, expected 0x00000803"));
    EXPECT_THAT(message(idx(0x801, 3, 0, 0, 3)), HasSubstr("holds labels"));
    EXPECT_THAT(message(idx(0x802, 3, 2, 4, 24)), HasSubstr("IDX of 2 axes, expected 3"));
    EXPECT_THAT(message(idx(0x803, 0, 28, 28, 0)), HasSubstr("0 pictures"));
    EXPECT_THAT(message(idx(0x803, 0xffffffff, 0xffffffff, 0xffffffff, 24)), HasSubstr("impossible shape"));
    const auto packed = gzip(folder / "packed", good);
    EXPECT_THAT(message(packed.substr(0, packed.size() - 12)), HasSubstr("truncated gzip"));
    EXPECT_THAT(message(packed.substr(0, 12) + "damaged!" + packed.substr(20)), HasSubstr("gzip"));
    EXPECT_THAT(error_of([&] { load_glyphs(folder / "missing"); }), HasSubstr("missing: no such file"));
    fs::create_directory(folder / "empty");
    EXPECT_THAT(error_of([&] { load_glyphs(folder / "empty"); }), HasSubstr("no PNG"));
}

TEST(Glyphs, NoMoreIsUnpackedThanTheHeaderPromises) {
    const test::TemporaryFolder folder;
    gzip(folder / "bomb.gz", idx(0x803, 3, 2, 4, 50'000'000));
    EXPECT_LT(fs::file_size(folder / "bomb.gz"), 1'000'000U);
    EXPECT_THAT(error_of([&] { load_glyphs(folder / "bomb.gz"); }), HasSubstr("bytes when unpacked"));
    gzip(folder / "labels.gz", idx(0x801, 3, 0, 0, 5000));
    EXPECT_THAT(error_of([&] { load_glyphs(folder / "labels.gz"); }), HasSubstr("holds labels"));
}

TEST(Locate, SearchesTheFolderThatIsNamedFirst) {
    const test::TemporaryFolder folder;
    fs::create_directories(folder / "mnist");
    test::write_bytes(folder / "mnist/train-images-idx3-ubyte.gz", "");
    ASSERT_NE(locate_glyphs("mnist"), folder / "mnist/train-images-idx3-ubyte.gz");
    const EnvironmentVariable data("STL_DATA", folder.path().string());
    EXPECT_EQ(locate_glyphs("mnist"), folder / "mnist/train-images-idx3-ubyte.gz");
    EXPECT_THAT(error_of([&] { locate_glyphs("letters"); }),
                HasSubstr("letters/train-images-idx3-ubyte.gz: not found in " + folder.path().string()));
}

}  // namespace
}  // namespace stl
