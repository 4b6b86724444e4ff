// TIFF and BigTIFF as microscopes write them: floats, 16 bits, tiles, compression, channels, slices and time.

#include <gmock/gmock.h>
#include <tiffio.h>

#include "stl/media/picture_decoder.h"
#include "stl/media/stack_axes.h"
#include "stl/media/video_reader.h"
#include "tests/media/tools.h"

namespace stl {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t side = 16;

struct Kind {
    std::string mode = "w";  ///< "w8": BigTIFF, "wb": big-endian
    int format = SAMPLEFORMAT_UINT;
    int compression = COMPRESSION_NONE;
    bool tiled = false;
    int orientation = ORIENTATION_TOPLEFT;
    std::string description = {};  ///< of the first page
};

class TiffTest : public ::testing::Test {
  protected:
    fs::path file(const std::string& name) const { return folder_ / name; }

    /// Gray pages; pixel i of page p is value(p, i).
    template <class T, class Value>
    void write(const std::string& name, int pages, const Kind& kind, const Value& value) const {
        const std::unique_ptr<TIFF, decltype(&TIFFClose)> tiff(
            TIFFOpen(file(name).c_str(), kind.mode.c_str()), TIFFClose);
        ASSERT_NE(tiff, nullptr);
        for (int p = 0; p < pages; ++p) {
            std::vector<T> pixels(side * side);
            for (std::size_t i = 0; i < pixels.size(); ++i)
                pixels[i] = static_cast<T>(value(p, static_cast<int>(i)));
            TIFFSetField(tiff.get(), TIFFTAG_IMAGEWIDTH, side);
            TIFFSetField(tiff.get(), TIFFTAG_IMAGELENGTH, side);
            TIFFSetField(tiff.get(), TIFFTAG_BITSPERSAMPLE, 8 * sizeof(T));
            TIFFSetField(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, 1);
            TIFFSetField(tiff.get(), TIFFTAG_SAMPLEFORMAT, kind.format);
            TIFFSetField(tiff.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
            TIFFSetField(tiff.get(), TIFFTAG_COMPRESSION, kind.compression);
            TIFFSetField(tiff.get(), TIFFTAG_ORIENTATION, kind.orientation);
            if (p == 0 && !kind.description.empty())
                TIFFSetField(tiff.get(), TIFFTAG_IMAGEDESCRIPTION, kind.description.c_str());
            const auto bytes = static_cast<tmsize_t>(pixels.size() * sizeof(T));
            if (kind.tiled) {
                TIFFSetField(tiff.get(), TIFFTAG_TILEWIDTH, side);
                TIFFSetField(tiff.get(), TIFFTAG_TILELENGTH, side);
                ASSERT_EQ(TIFFWriteEncodedTile(tiff.get(), 0, pixels.data(), bytes), bytes);
            } else {
                TIFFSetField(tiff.get(), TIFFTAG_ROWSPERSTRIP, side);
                ASSERT_EQ(TIFFWriteEncodedStrip(tiff.get(), 0, pixels.data(), bytes), bytes);
            }
            ASSERT_EQ(TIFFWriteDirectory(tiff.get()), 1);
        }
    }

    /// Some pixels of every frame, in the numbers of the file.
    std::vector<float> read(const std::string& name, int stream = -1,
                            std::vector<std::size_t> pixels = {0, 5}) {
        VideoOptions options;
        options.channels = 1;
        options.deep = true;
        options.stream = stream;
        VideoReader reader(file(name), options);
        std::vector<float> out;
        while (const auto frame = reader.next()) {
            white_ = frame->white;
            for (const auto i : pixels)
                out.push_back(frame->deep.empty() ? frame->image.pixels[i] : frame->deep.pixels[i]);
        }
        told_ = reader.damage().any() ? to_string(reader.damage(), name) : "";
        return out;
    }

    test::TemporaryFolder folder_;
    std::string told_;
    int white_ = 0;
};

TEST_F(TiffTest, NumbersOfEveryKindAreReadAsStored) {
    const auto value = [](int p, int i) { return 1000.0 * p + i - 3; };
    const auto expected = ElementsAre(-3, 2, 997, 1002);
    for (const std::string mode : {"w", "w8", "wb"}) {
        for (const bool tiled : {false, true}) {
            for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE}) {
                const Kind real{mode, SAMPLEFORMAT_IEEEFP, compression, tiled},
                    whole{mode, SAMPLEFORMAT_INT, compression, tiled};
                SCOPED_TRACE(fmt::format("{} {} {}", mode, tiled, compression));
                write<float>("a.tif", 2, real, value);
                EXPECT_THAT(read("a.tif"), expected);
                EXPECT_EQ(white_, 0) << "nothing says what white is";
                write<double>("a.tif", 2, real, value);
                EXPECT_THAT(read("a.tif"), expected);
                write<std::int16_t>("a.tif", 2, whole, value);
                EXPECT_THAT(read("a.tif"), expected);
                write<std::int32_t>("a.tif", 2, whole, value);
                EXPECT_THAT(read("a.tif"), expected);
            }
        }
    }
}

TEST_F(TiffTest, SixteenBitsKeepTheirNumbersAndTheirWhite) {
    for (const std::string mode : {"w", "w8", "wb"}) {
        write<std::uint16_t>("a.tif", 3, {.mode = mode}, [](int p, int i) { return 4000 * p + i; });
        EXPECT_THAT(read("a.tif"), ElementsAre(0, 5, 4000, 4005, 8000, 8005)) << mode;
        EXPECT_EQ(white_, 65535);
        // A page alone, too.
        write<std::uint16_t>("a.tif", 1, {.mode = mode}, [](int, int i) { return 4000 + i; });
        EXPECT_THAT(read("a.tif"), ElementsAre(4000, 4005)) << mode;
    }
}

TEST_F(TiffTest, FloatsInAFolderAreAFilm) {
    fs::create_directories(file("frames"));
    for (int k = 0; k < 3; ++k)
        write<float>(fmt::format("frames/{}.tif", k), 1, {.format = SAMPLEFORMAT_IEEEFP},
                     [k](int, int i) { return 0.5 * k + i; });
    EXPECT_THAT(read("frames"), ElementsAre(0, 5, 0.5, 5.5, 1, 6));
}

TEST_F(TiffTest, PagesAreTurnedAsTheySay) {
    for (const int page_count : {1, 2}) {
        write<std::uint8_t>("a.tif", page_count, {.orientation = ORIENTATION_BOTRIGHT},
                            [](int, int i) { return i; });
        EXPECT_THAT(read("a.tif", -1, {0}), Each(255)) << page_count;
    }
}

TEST_F(TiffTest, ValuesThatAreNotFiniteAreAGap) {
    write<float>("a.tif", 4, {.format = SAMPLEFORMAT_IEEEFP},
                 [](int p, int i) { return p == 1 && i == 7 ? NAN : p; });
    EXPECT_THAT(read("a.tif", -1, {0}), ElementsAre(0, 2, 3));
    EXPECT_THAT(told_, AllOf(HasSubstr("1 of 4 frames"), HasSubstr("not finite")));
}

TEST_F(TiffTest, WhatIsCutOffIsTold) {
    write<float>("a.tif", 4, {.format = SAMPLEFORMAT_IEEEFP}, [](int p, int) { return p; });
    const std::string bytes = read_text(file("a.tif"));
    write_text(file("a.tif"), bytes.substr(0, bytes.size() * 2 / 3));
    EXPECT_THAT(read("a.tif", -1, {0}), testing::SizeIs(testing::Lt(4U)));
    EXPECT_THAT(told_, HasSubstr("cut off"));
}

/// Page p of a stack described so holds the value p.
TEST_F(TiffTest, ChannelsAndSlicesAreFilmsOfTheirOwn) {
    const std::string imagej = "ImageJ=1.54f\nimages=12\nchannels=2\nslices=3\nframes=2\nhyperstack=true\n";
    write<std::uint8_t>("ij.tif", 12, {.description = imagej}, [](int p, int) { return p; });
    EXPECT_THAT(read("ij.tif", -1, {0}), ElementsAre(0, 6));
    EXPECT_THAT(told_, AllOf(HasSubstr("2 frames of 2 channels and 3 slices"), HasSubstr("--stream 0 to 5")));
    EXPECT_THAT(read("ij.tif", 3, {0}), ElementsAre(3, 9)) << "the second channel of the second slice";
    EXPECT_EQ(told_, "") << "it was chosen";
    EXPECT_THAT(test::error_of([&] { read("ij.tif", 6); }), HasSubstr("6 films"));

    const std::string ome =
        R"(<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">)"
        R"(<Pixels ID="Pixels:0" DimensionOrder="XYZTC" SizeX="16" SizeY="16" SizeZ="3" SizeT="2" SizeC="2" Type="uint8">)"
        R"(<Channel ID="Channel:0" SamplesPerPixel="1"/><TiffData/></Pixels></Image></OME>)";
    write<std::uint8_t>("ome.tif", 12, {.description = ome}, [](int p, int) { return p; });
    EXPECT_THAT(read("ome.tif", -1, {0}), ElementsAre(0, 3));
    EXPECT_THAT(read("ome.tif", 3, {0}), ElementsAre(7, 10)) << "the second channel of the second slice";
}

/// Rate, times and spacing of a stack's frames.
struct Clock {
    double fps = 0, duration = 0;
    std::vector<double> times = {};
    std::vector<bool> gaps = {};
    Timing timing = {};
};

VideoOptions with_folder_fps(double fps) {
    VideoOptions options;
    options.folder_fps = fps;
    return options;
}

VideoOptions with_assumed_fps(double fps) {
    VideoOptions options;
    options.assumed_fps = fps;
    return options;
}

Clock clock_of(const fs::path& path, const VideoOptions& options = {}) {
    VideoReader reader(path, options);
    Clock clock{reader.info().fps, reader.info().duration};
    while (const auto frame = reader.next()) {
        clock.times.push_back(frame->time);
        clock.gaps.push_back(frame->after_gap);
    }
    clock.timing = reader.timing();
    return clock;
}

TEST_F(TiffTest, TheTimeIntervalIsTheRate) {
    const auto clock = [&](const std::string& description, const VideoOptions& options = {}) {
        write<std::uint8_t>("a.tif", 4, {.description = description}, [](int p, int) { return p; });
        return clock_of(file("a.tif"), options);
    };
    const auto ome = [](const std::string& attributes, const std::string& planes = "") {
        return R"(<OME><Image><Pixels DimensionOrder="XYZCT" SizeT="4" )" + attributes + ">" + planes +
               "</Pixels></Image></OME>";
    };
    const std::string imagej = "ImageJ=1.54f\nimages=4\nframes=4\n";
    EXPECT_DOUBLE_EQ(clock(ome(R"(TimeIncrement="0.5")")).fps, 2);
    EXPECT_DOUBLE_EQ(clock(ome(R"(TimeIncrement="250" TimeIncrementUnit="ms")")).fps, 4);
    EXPECT_DOUBLE_EQ(clock(ome(R"(TimeIncrement="5" TimeIncrementUnit="min")")).fps, 1.0 / 300);
    EXPECT_DOUBLE_EQ(clock(imagej + "finterval=0.2\nfps=7\n").fps, 5);
    EXPECT_DOUBLE_EQ(clock(imagej + "tunit=ms\nfinterval=50\n").fps, 20);
    EXPECT_DOUBLE_EQ(clock(imagej + "finterval=2\ntunit=min\n").fps, 1.0 / 120);
    EXPECT_DOUBLE_EQ(clock(imagej + "fps=8.0\n").fps, 8);
    EXPECT_DOUBLE_EQ(clock("ImageJ=1.54f\nimages=4\nslices=4\nfinterval=0.1\n").fps, 10);
    EXPECT_DOUBLE_EQ(clock("ImageJ=1.54f\nimages=4\nfinterval=0.1\n").fps, 10) << "no axes";

    const auto half = clock(ome(R"(TimeIncrement="0.5")"));
    EXPECT_DOUBLE_EQ(half.duration, 2);
    EXPECT_THAT(half.times, ElementsAre(0, 0.5, 1, 1.5));
    EXPECT_FALSE(half.timing.uneven);

    // What says nothing of the time, or nothing that can be.
    for (const auto& text :
         {ome(""), ome(R"(TimeIncrement="0")"), ome(R"(TimeIncrement="-1")"), ome(R"(TimeIncrement="nan")"),
          ome(R"(TimeIncrement="1" TimeIncrementUnit="reference frame")"), imagej, imagej + "finterval=0\n",
          imagej + "finterval=1\ntunit=pixel\n", imagej + "fps=inf\n", std::string()}) {
        EXPECT_EQ(clock(text).fps, 25) << text;
        EXPECT_EQ(clock(text, with_assumed_fps(8)).fps, 8) << text;
    }
    EXPECT_EQ(clock(imagej + "finterval=0.2\n", with_assumed_fps(8)).fps, 5);
    EXPECT_EQ(clock(imagej + "finterval=0.2\n", with_folder_fps(10)).fps, 10) << "a person knows better";
    // Of depth, time says nothing.
    EXPECT_EQ(clock(R"(<OME><Pixels DimensionOrder="XYZCT" SizeZ="4" TimeIncrement="0.5"/></OME>)").fps, 25);
}

TEST_F(TiffTest, PlanesSayWhenTheyWereTaken) {
    const auto clock = [&](const std::string& attributes, const std::vector<double>& times,
                           const VideoOptions& options = {}) {
        std::string planes;
        for (std::size_t t = 0; t < times.size(); ++t)
            planes += fmt::format(R"(<Plane TheZ="0" TheC="0" TheT="{}" DeltaT="{}" DeltaTUnit="ms"/>)", t,
                                  times[t]);
        const std::string begin = R"(<OME><Image><Pixels DimensionOrder="XYZCT" SizeT="6" )";
        write<std::uint8_t>("a.tif", 6,
                            {.description = begin + attributes + ">" + planes + "</Pixels></Image></OME>"},
                            [](int p, int) { return p; });
        return clock_of(file("a.tif"), options);
    };
    const auto even = clock("", {100, 300, 500, 700, 900, 1100});
    EXPECT_DOUBLE_EQ(even.fps, 5);
    EXPECT_FALSE(even.timing.uneven);
    EXPECT_NEAR(even.duration, 1.2, 1e-12);

    const std::vector<double> times{0, 200, 400, 700, 1250, 1450};
    const auto uneven = clock("", times);
    EXPECT_DOUBLE_EQ(uneven.fps, 5) << "the median";
    EXPECT_TRUE(uneven.timing.uneven);
    EXPECT_NEAR(uneven.timing.longest, 0.55, 1e-12);
    EXPECT_THAT(uneven.times, testing::Pointwise(testing::DoubleNear(1e-12),
                                                 std::vector<double>{0, 0.2, 0.4, 0.7, 1.25, 1.45}));
    write_text(file("b.tif"), read_text(file("a.tif")));
    EXPECT_DOUBLE_EQ(clock(R"(TimeIncrement="0.25")", times).fps, 4) << "it is said";

    // Frames at 5 a second: the fourth shows from 0.7 to 1.25 s.
    VideoOptions options;
    options.channels = 1;
    options.fps = 5;
    VideoReader reader(file("b.tif"), options);
    std::vector<int> pages;
    while (const auto frame = reader.next()) pages.push_back(frame->image.pixels[0]);
    EXPECT_THAT(pages, ElementsAre(0, 1, 2, 2, 3, 3, 4, 5));
    options.fps = 0;
    options.start = 0.6;
    EXPECT_THAT(clock("", times, options).times, testing::SizeIs(3));
    EXPECT_THAT(clock("", times, with_folder_fps(10)).times.back(), 0.5);

    EXPECT_THAT(clock("", {0, 200, 400, 2500, 2700, 2900}).gaps,
                ElementsAre(false, false, false, true, false, false));
    EXPECT_THAT(clock("", {0, 200, 400, 2300, 2500, 2700}).gaps, testing::Each(false)) << "not ten steps";
    EXPECT_THAT(clock("", {0, 20, 40, 900, 920, 940}).gaps, testing::Each(false)) << "not a second";

    EXPECT_EQ(clock("", {0, 200, 400}).fps, 25) << "not of every frame";
    EXPECT_EQ(clock("", {0, 200, 400, 400, 600, 800}).fps, 25) << "no clock stands still";
}

TEST_F(TiffTest, ImageJsLargeStacksHaveOneDirectory) {
    // Twelve pages behind each other, of which the directory names the first.
    const std::string text = "ImageJ=1.54f\nimages=4\nframes=4\n";
    write<std::uint16_t>("a.tif", 1, {.description = text}, [](int, int i) { return i; });
    std::string bytes = read_text(file("a.tif"));
    const auto at = bytes.find(std::string("\1\0\2\0\3\0\4\0", 8)) - 2;
    // The pixels move to the end, where the others follow.
    const auto end = static_cast<std::uint32_t>(bytes.size());
    const std::unique_ptr<TIFF, decltype(&TIFFClose)> tiff(TIFFOpen(file("a.tif").c_str(), "r"), TIFFClose);
    ASSERT_EQ(TIFFGetStrileOffset(tiff.get(), 0), at);
    for (std::size_t entry = 0; entry + 12 <= bytes.size(); ++entry) {
        // Tag 273, one number of 16 or 32 bits.
        if (bytes.compare(entry, 2, "\x11\x01") != 0 ||
            bytes.compare(entry + 4, 4, std::string("\1\0\0\0", 4)) != 0)
            continue;
        bytes[entry + 2] = 4;
        std::memcpy(bytes.data() + entry + 8, &end, 4);
    }
    for (int p = 0; p < 4; ++p) {
        for (int i = 0; i < static_cast<int>(side * side); ++i) {
            const auto value = static_cast<std::uint16_t>(1000 * p + i);
            bytes.append(reinterpret_cast<const char*>(&value), 2);
        }
    }
    write_text(file("a.tif"), bytes);
    EXPECT_THAT(read("a.tif"), ElementsAre(0, 5, 1000, 1005, 2000, 2005, 3000, 3005));
}

TEST(StackAxesTest, DescriptionsThatDoNotFitAreNotBelieved) {
    const auto frames = [](std::string_view text, std::int64_t pages) {
        return stack_axes(text, pages, "a.tif").films;
    };
    EXPECT_EQ(frames("", 3), (std::vector<std::vector<std::int64_t>>{{0, 1, 2}}));
    EXPECT_EQ(frames("ImageJ=1.5\nimages=3\nframes=7\n", 3), frames("", 3));
    EXPECT_EQ(frames("ImageJ=1.5\nslices=-1\nframes=99999999999\n", 3), frames("", 3));
    EXPECT_EQ(frames("<OME><Pixels SizeT=\"x\" DimensionOrder=\"XYTTT\"/></OME>", 3), frames("", 3));
    EXPECT_EQ(frames("<OME><Pixels", 3).size(), 1U);
    EXPECT_TRUE(stack_axes("ImageJ=1.5\nimages=3\nslices=3\n", 3, "a.tif").slices_are_frames);
}

TEST(StackAxesTest, PlanesOfOmeAreWhereTheFileSays) {
    const std::string begin = R"(<OME><Image><Pixels DimensionOrder="XYCZT" SizeC="1" SizeZ="1" SizeT="3">)";
    const auto film = [&](const std::string& data) {
        return stack_axes(begin + data + "</Pixels></Image></OME>", 3, "b.tif").films.at(0);
    };
    EXPECT_THAT(
        film(R"(<TiffData FirstT="0" IFD="2"/><TiffData FirstT="1" IFD="1"/><TiffData FirstT="2" IFD="0"/>)"),
        ElementsAre(2, 1, 0));
    EXPECT_THAT(film(R"(<TiffData FirstT="1" IFD="0" PlaneCount="2"/>)"), ElementsAre(-1, 0, 1));
    // A set of files, of which this is the second.
    EXPECT_THAT(film(R"(<TiffData FirstT="0" IFD="0"><UUID FileName="a.tif">urn:1</UUID></TiffData>)"
                     R"(<TiffData FirstT="1" IFD="0"><UUID FileName="b.tif">urn:2</UUID></TiffData>)"
                     R"(<TiffData FirstT="2" IFD="1"><UUID FileName="b.tif">urn:2</UUID></TiffData>)"),
                ElementsAre(-1, 0, 1));
    // One file under another name than it had.
    EXPECT_THAT(film(R"(<TiffData IFD="0" PlaneCount="3"><UUID FileName="old.tif">urn:1</UUID></TiffData>)"),
                ElementsAre(0, 1, 2));
    // Red, green and blue of one page.
    EXPECT_EQ(
        stack_axes(
            R"(<OME><Pixels DimensionOrder="XYCZT" SizeC="3" SizeT="2"><Channel SamplesPerPixel="3"/></Pixels></OME>)",
            2, "a")
            .films.size(),
        1U);
}

TEST(StackAxesTest, OmeIsReadAsXml) {
    const auto films = [](const std::string& text) { return stack_axes(text, 4, "a.tif").films.size(); };
    const std::string pixels = R"(<Pixels DimensionOrder="XYCZT" SizeC="2" SizeT="2"/>)";
    EXPECT_EQ(films("<OME>" + pixels + "</OME>"), 2U);
    EXPECT_EQ(films("\xef\xbb\xbf<?xml version='1.0'?><!-- <Pixels SizeT='4'/> --><OME>" + pixels + "</OME>"),
              2U);
    EXPECT_EQ(films("<ome:OME xmlns:ome='urn:ome'><ome:Pixels Name='a > b' DimensionOrder='XYCZT' SizeC='2' "
                    "SizeT='&#50;'/></ome:OME>"),
              2U);
    // Cut off behind what says where the planes are.
    EXPECT_EQ(films("<OME><Image>" + pixels + "<StructuredAnnotations><XML"), 2U);
    EXPECT_EQ(films("<Other>" + pixels + "</Other>"), 1U);
}

}  // namespace
}  // namespace stl
