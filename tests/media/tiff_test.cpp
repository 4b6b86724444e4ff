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
        gaps_.clear();
        while (const auto frame = reader.next()) {
            white_ = frame->white;
            gaps_.push_back(frame->after_gap);
            for (const auto i : pixels)
                out.push_back(frame->deep.empty() ? frame->image.pixels[i] : frame->deep.pixels[i]);
        }
        fps_ = reader.info().fps;
        told_ = reader.damage().any() ? to_string(reader.damage(), name) : "";
        return out;
    }

    test::TemporaryFolder folder_;
    std::string told_;
    int white_ = 0;
    double fps_ = 0;
    std::vector<bool> gaps_;
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

TEST_F(TiffTest, TheRateIsWhatItSaysOfItsTimes) {
    const auto rate_of = [&](const std::string& description) {
        write<std::uint8_t>("a.tif", 4, {.description = description}, [](int p, int) { return p; });
        EXPECT_THAT(read("a.tif", -1, {0}), ElementsAre(0, 1, 2, 3));
        return fps_;
    };
    const std::string imagej = "ImageJ=1.54f\nimages=4\n";
    EXPECT_DOUBLE_EQ(rate_of(imagej + "frames=4\n"), usual_folder_fps);
    EXPECT_DOUBLE_EQ(rate_of(imagej + "frames=4\nfinterval=0.5\nfps=7.0\n"), 2);
    EXPECT_DOUBLE_EQ(rate_of(imagej + "frames=4\nfinterval=2.0\ntunit=min\n"), 1.0 / 120);
    EXPECT_DOUBLE_EQ(rate_of(imagej + "frames=4\nfinterval=40\ntunit=ms\r\n"), 25);
    EXPECT_DOUBLE_EQ(rate_of(imagej + "frames=4\nfinterval=2.0\ntunit=furlong\n"), usual_folder_fps);
    EXPECT_DOUBLE_EQ(rate_of(imagej + "frames=4\nfinterval=-1\nfps=7\n"), 7);
    EXPECT_DOUBLE_EQ(rate_of(imagej + "slices=4\nfinterval=0.25\n"), 4) << "a film that is no hyperstack";

    const auto ome = [](const std::string& attributes, const std::string& planes, const char* sizes) {
        return "<OME><Image><Pixels DimensionOrder=\"XYCZT\" " + std::string(sizes) + " " + attributes +
               "><TiffData/>" + planes + "</Pixels></Image></OME>";
    };
    const auto* time = "SizeT=\"4\"";
    EXPECT_DOUBLE_EQ(rate_of(ome("", "", time)), usual_folder_fps);
    EXPECT_DOUBLE_EQ(rate_of(ome("TimeIncrement=\"0.2\"", "", time)), 5);
    EXPECT_DOUBLE_EQ(rate_of(ome("TimeIncrement=\"20\" TimeIncrementUnit=\"\u00b5s\"", "", time)), 50000);
    EXPECT_DOUBLE_EQ(rate_of(ome("TimeIncrement=\"0\"", "", time)), usual_folder_fps);
    EXPECT_DOUBLE_EQ(rate_of(ome("TimeIncrement=\"0.2\"", "", "SizeZ=\"4\"")), usual_folder_fps)
        << "a stack in depth";
    const auto planes = [](const std::vector<double>& times, const std::string& unit) {
        std::string text;
        for (std::size_t i = 0; i < times.size(); ++i)
            text +=
                fmt::format("<Plane TheZ=\"0\" TheC=\"0\" TheT=\"{}\" DeltaT=\"{}\"{}/>", i, times[i], unit);
        return text;
    };
    EXPECT_DOUBLE_EQ(rate_of(ome("TimeIncrement=\"9\"", planes({1, 1.5, 2, 2.5}, ""), time)), 2);
    EXPECT_EQ(told_, "");
    EXPECT_DOUBLE_EQ(rate_of(ome("", planes({0, 1, 2, 4}, " DeltaTUnit=\"min\""), time)), 1.0 / 60);
    EXPECT_THAT(told_, HasSubstr("uneven in time (60 to 120 s from frame to frame)"));
    EXPECT_THAT(gaps_, ElementsAre(false, false, false, false));
    EXPECT_DOUBLE_EQ(rate_of(ome("", planes({0, 1, 12, 13}, ""), time)), 1);
    EXPECT_THAT(gaps_, ElementsAre(false, false, true, false));
    EXPECT_DOUBLE_EQ(rate_of(ome("", "<Plane TheT=\"7\" DeltaT=\"3\"/>", time)), usual_folder_fps);
    // Whoever knows better says so.
    VideoOptions options;
    options.folder_fps = 12;
    EXPECT_DOUBLE_EQ(VideoReader(file("a.tif"), options).info().fps, 12);
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
