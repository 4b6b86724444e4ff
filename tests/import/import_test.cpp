// From clips that ffmpeg's generators make to a file of sequences, read back by the data set reader.

#include "stl/import/import.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "stl/core/error.h"
#include "stl/core/few_bits.h"
#include "stl/data/normalization.h"
#include "stl/formats/sequences.h"
#include "stl/import/clips.h"
#include "stl/import/inspect.h"
#include "stl/import/sources.h"
#include "stl/import/splits.h"
#include "stl/media/png.h"
#include "tests/media/stacks.h"
#include "tests/media/timed_clip.h"
#include "tests/media/tools.h"
#include "tests/support/notes.h"

namespace stl {
namespace {

using test::error_of;
using test::ffmpeg;
using test::Notes;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ImportTest : public ::testing::Test {
  protected:
    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    ImportOptions options(std::vector<std::string> inputs) const {
        ImportOptions o;
        o.inputs = std::move(inputs);
        o.output = file("out.h5");
        o.height = o.width = 16;
        o.channels = 1;
        o.length = 5;
        o.threads = 1;
        return o;
    }
    /// A lossless gray clip whose frame k is flat, of value 10 k.
    void counting_clip(const std::string& name, int frames) const {
        ffmpeg(
            fmt::format("-f lavfi -i color=black:size=16x16:rate=10:duration={} -vf format=gray,geq=lum=10*N "
                        "-c:v ffv1 -pix_fmt gray {}",
                        frames / 10.0, file(name)));
    }
    /// Numbers of the frames of one row of a counting clip.
    std::vector<int> numbers(std::int64_t row) const {
        const auto reader = open_sequences(file("out.h5"));
        std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
        reader->read(row, 1, values);
        std::vector<int> out;
        for (std::int64_t t = 0; t < reader->info().shape.frames; ++t) {
            const float v = values[static_cast<std::size_t>(t * reader->info().shape.frame_elements())];
            out.push_back(static_cast<int>(v * 25.5F + 0.5F));
        }
        return out;
    }
    bool only_inputs_left(std::size_t count) const {
        return std::distance(fs::directory_iterator(folder_ / ""), {}) == static_cast<std::ptrdiff_t>(count);
    }

    test::TemporaryFolder folder_;
    Notes notes_;
};

TEST_F(ImportTest, CutsAClipIntoSequences) {
    counting_clip("a.mkv", 23);
    auto o = options({file("a.mkv")});
    o.stride = 4;
    const ImportReport report = import_sequences(o, notes_);
    EXPECT_EQ(report.sequences, 5);
    EXPECT_EQ(report.frames, 23);
    EXPECT_FALSE(report.split);
    const auto reader = open_sequences(o.output);
    EXPECT_EQ(reader->info().count, 5);
    EXPECT_EQ(reader->info().shape, (SequenceShape{5, 1, 16, 16}));
    EXPECT_EQ(reader->info().dtype, DType::u8);
    EXPECT_DOUBLE_EQ(reader->info().fps, 10);
    EXPECT_THAT(numbers(0), ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(numbers(1), ElementsAre(4, 5, 6, 7, 8));
    EXPECT_THAT(numbers(4), ElementsAre(16, 17, 18, 19, 20));
    EXPECT_TRUE(only_inputs_left(2));
}

TEST_F(ImportTest, StrideBeyondTheLengthAndTimeWindow) {
    counting_clip("a.mkv", 24);
    auto o = options({file("a.mkv")});
    o.stride = 7;
    o.start = 0.2;
    o.end = 1.9;
    EXPECT_EQ(import_sequences(o, notes_).sequences, 2);
    EXPECT_THAT(numbers(0), ElementsAre(2, 3, 4, 5, 6));
    EXPECT_THAT(numbers(1), ElementsAre(9, 10, 11, 12, 13));
}

TEST_F(ImportTest, FrameRateColorsAndPlanes) {
    ffmpeg("-f lavfi -i color=c=0xC86432:size=32x32:rate=20:duration=1 -c:v ffv1 -pix_fmt bgr0 " +
           file("a.mkv"));
    auto o = options({file("a.mkv")});
    o.channels = 0;  // videos: RGB
    o.fps = 10;
    EXPECT_EQ(import_sequences(o, notes_).frames, 10);
    const auto reader = open_sequences(o.output);
    EXPECT_EQ(reader->info().shape, (SequenceShape{5, 3, 16, 16}));
    EXPECT_DOUBLE_EQ(reader->info().fps, 10);
    std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
    reader->read(1, 1, values);
    // FFmpeg's generator rounds on its way: the file itself holds 199, 99, 49 (ffmpeg -pix_fmt rgb24 shows
    // them).
    EXPECT_FLOAT_EQ(values[0], 199 / 255.0F);
    EXPECT_FLOAT_EQ(values[256], 99 / 255.0F);
    EXPECT_FLOAT_EQ(values[512], 49 / 255.0F);
}

TEST_F(ImportTest, UnevenFramesAreToldOnce) {
    test::TimedClip clip;
    for (int k = 0; k < 20; ++k) clip.times.push_back(k < 10 ? 1000 * k / 30 : 1000 * k);
    for (const char* name : {"a.mp4", "b.mp4"}) test::write_clip(file(name), "mp4", clip);
    auto o = options({file("a.mp4"), file("b.mp4")});
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.warnings, ElementsAre(AllOf(HasSubstr("a.mp4 and 1 other source"), HasSubstr("uneven"),
                                                   HasSubstr("--fps"))));
    notes_.warnings.clear();
    o.fps = 5;
    o.force = true;
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.warnings, ElementsAre());
}

TEST_F(ImportTest, SplitsTheVideosTimeNotTheSounds) {
    std::vector<int> times;
    for (int k = 0; k < 20; ++k) times.push_back(100 * k);
    test::write_clip(file("a.mkv"), "matroska", {times, 100, 10, 6000});
    auto o = options({file("a.mkv")});
    o.split_by = SplitBy::time;
    o.train = 0.5;
    o.val = 0.25;
    o.test = 0.25;
    EXPECT_THAT(import_sequences(o, notes_).per_split, ElementsAre(2, 1, 1));
    EXPECT_THAT(notes_.warnings, ElementsAre());
}

TEST_F(ImportTest, NoSourceIsInTwoSplits) {
    for (int i = 0; i < 10; ++i) {
        Image image(16, 16, 1, static_cast<std::uint8_t>(20 * i));
        fs::create_directories(file(fmt::format("clips/{}", i)));
        for (int k = 0; k < 10; ++k) write_png(file(fmt::format("clips/{}/{}.png", i, k)), image);
    }
    auto o = options({file("clips")});
    o.train = 0.6;
    o.val = 0.2;
    o.test = 0.2;
    const ImportReport report = import_sequences(o, notes_);
    EXPECT_EQ(report.sources, 10);
    EXPECT_THAT(report.per_split, ElementsAre(12, 4, 4));
    const auto reader = open_sequences(o.output);
    EXPECT_THAT(count_splits(*reader), ElementsAre(12, 4, 4));
    std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
    std::map<int, std::set<int>> splits_of_source;
    for (const auto split : {Split::train, Split::validation, Split::test}) {
        for (const auto row : reader->rows(split)) {
            reader->read(row, 1, values);
            splits_of_source[static_cast<int>(values[0] * 255 + 0.5F)].insert(static_cast<int>(split));
        }
    }
    EXPECT_EQ(splits_of_source.size(), 10U);
    for (const auto& [source, splits] : splits_of_source) EXPECT_EQ(splits.size(), 1U) << source;
}

TEST_F(ImportTest, SharesAreOfTheSourcesThatGiveSequences) {
    std::vector<std::string> inputs;
    for (int i = 0; i < 12; ++i) {
        inputs.push_back(file(fmt::format("{}.mkv", i)));
        if (i % 3 == 0) {
            counting_clip(fmt::format("{}.mkv", i), 10);
        } else if (i % 3 == 1) {
            write_text(inputs.back(), "no video");
        } else {
            counting_clip(fmt::format("{}.mkv", i), 3);  // too short
        }
    }
    auto o = options(inputs);
    o.train = 0.5;
    o.val = 0.25;
    o.test = 0.25;
    for (o.seed = 0; o.seed < 8; ++o.seed) {
        EXPECT_THAT(import_sequences(o, notes_).per_split, ElementsAre(4, 2, 2)) << o.seed;
        o.force = true;
    }
    const auto attributes = open_sequences(o.output)->info().attributes;
    EXPECT_EQ(attributes["source"], "4 sources");
    EXPECT_EQ(attributes["sources"], Json({"0.mkv", "3.mkv", "6.mkv", "9.mkv"}));
}

TEST_F(ImportTest, SharesThatAreNotGivenTakeTheRest) {
    std::vector<std::string> inputs;
    for (int i = 0; i < 10; ++i) {
        inputs.push_back(file(fmt::format("{}.mkv", i)));
        counting_clip(fmt::format("{}.mkv", i), 5);
    }
    auto o = options(inputs);
    o.train = 0.6;
    EXPECT_THAT(import_sequences(o, notes_).per_split, ElementsAre(6, 2, 2));
    o.force = true;
    o.test = 0.3;
    EXPECT_THAT(import_sequences(o, notes_).per_split, ElementsAre(6, 1, 3));
    o.train.reset();
    EXPECT_THAT(import_sequences(o, notes_).per_split, ElementsAre(7, 0, 3));
}

TEST_F(ImportTest, AFileIsOneSourceHoweverItIsSpelled) {
    counting_clip("a.mkv", 10);
    fs::create_directories(file("folder"));
    fs::create_symlink(file("a.mkv"), file("folder/b.mkv"));
    const auto sources =
        find_sources(std::vector{file("a.mkv"), file("folder/../a.mkv"), file("folder"), file("*.mkv")});
    ASSERT_EQ(sources.size(), 1U);
    EXPECT_EQ(sources[0].name(), file("a.mkv"));
    fs::create_directories(file("nothing"));
    EXPECT_THAT(error_of([&] {
                    find_sources(std::vector{file("a.mkv"), file("nothing")});
                }),
                HasSubstr("nothing: no videos, pictures or arrays in it"));
}

TEST_F(ImportTest, SplitsOneClipByTime) {
    counting_clip("a.mkv", 24);
    auto o = options({file("a.mkv")});
    o.length = 3;
    o.stride = 1;
    o.split_by = SplitBy::time;
    o.val = 0.25;
    o.test = 0.25;
    import_sequences(o, notes_);
    const auto reader = open_sequences(o.output);
    int last_train = 0, first_val = 99, last_val = 0, first_test = 99;
    for (const auto r : reader->rows(Split::train)) last_train = std::max(last_train, numbers(r).back());
    for (const auto r : reader->rows(Split::validation)) {
        first_val = std::min(first_val, numbers(r).front());
        last_val = std::max(last_val, numbers(r).back());
    }
    for (const auto r : reader->rows(Split::test)) first_test = std::min(first_test, numbers(r).front());
    EXPECT_EQ(last_train, 11);
    EXPECT_EQ(first_val, 12);
    EXPECT_EQ(last_val, 17);
    EXPECT_EQ(first_test, 18);
}

TEST_F(ImportTest, NoSequenceRunsOverACut) {
    // Two flat scenes of 12 frames, far apart in brightness.
    fs::create_directories(file("film"));
    for (int k = 0; k < 24; ++k) {
        write_png(file(fmt::format("film/{}.png", k)),
                  Image(16, 16, 1, static_cast<std::uint8_t>(k < 12 ? 10 : 200)));
    }
    auto o = options({file("film")});
    o.split_scenes = true;
    const ImportReport report = import_sequences(o, notes_);
    EXPECT_EQ(report.cuts, 1);
    EXPECT_EQ(report.sequences, 4);  // two of each scene; five with one over the cut otherwise
    for (std::int64_t r = 0; r < 4; ++r) {
        const auto row = numbers(r);
        EXPECT_EQ(row.front(), row.back()) << r;
    }
}

TEST_F(ImportTest, ArraysKeepTheirValues) {
    const SequenceShape shape{6, 1, 4, 4};
    auto writer = create_sequences(file("a.h5:frames"), 3, shape, {.dtype = DType::f32});
    std::vector<float> values(3 * 6 * 16);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i / 16) * 3 - 20;
    writer->append(std::span<const float>(values));
    writer->finish();
    ImportOptions o;
    o.inputs = {file("a.h5")};
    o.dataset = "frames";
    o.output = file("out.h5");
    o.length = 3;
    EXPECT_EQ(import_sequences(o, notes_).sequences, 6);
    const auto reader = open_sequences(o.output);
    EXPECT_EQ(reader->info().dtype, DType::f32);
    EXPECT_EQ(reader->info().shape, (SequenceShape{3, 1, 4, 4}));
    std::vector<float> all(values.size());
    reader->read(0, 6, all);
    EXPECT_EQ(all, values);
    o.height = o.width = 2;
    o.force = true;
    import_sequences(o, notes_);
    std::vector<float> row(3 * 4);
    open_sequences(o.output)->read(0, 1, row);
    EXPECT_FLOAT_EQ(row[0], -20);
    EXPECT_FLOAT_EQ(row[4], -17);
}

/// The values of a row of out.h5.
std::vector<float> row_of(const SequenceReader& reader, std::int64_t row) {
    std::vector<float> values(static_cast<std::size_t>(reader.info().shape.elements()));
    reader.read(row, 1, values);
    return values;
}

TEST_F(ImportTest, PicturesOfMoreThanEightBitsKeepTheirNumbers) {
    fs::create_directories(file("deep"));
    // 12 bits in 16, every number another.
    ffmpeg(
        fmt::format("-f lavfi -i color=black:size=16x16:rate=1:duration=2 -vf "
                    "format=gray16le,geq=lum='16*Y+X+1000*N+1' -pix_fmt gray16be {}",
                    file("deep/%d.png")));
    auto o = options({file("deep")});
    o.length = 2;
    import_sequences(o, notes_);
    const auto reader = open_sequences(o.output);
    EXPECT_EQ(reader->info().dtype, DType::f32);
    EXPECT_EQ(reader->info().range, (ValueRange{0, 65535}));
    const auto values = row_of(*reader, 0);
    for (int i = 0; i < 256; ++i) {
        ASSERT_EQ(values[static_cast<std::size_t>(i)], static_cast<float>(i + 1));
        ASSERT_EQ(values[static_cast<std::size_t>(256 + i)], static_cast<float>(i + 1001));
    }
    EXPECT_EQ(stored_normalization(reader->info(), "").deviation, std::vector<double>{65535});

    o.force = true;
    o.range = ValueRange{0, 4095};
    import_sequences(o, notes_);
    EXPECT_EQ(open_sequences(o.output)->info().range, (ValueRange{0, 4095}));
    o.range.reset();
    o.range_percentile = 0.001;
    import_sequences(o, notes_);
    const auto found = open_sequences(o.output)->info().range;
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->low, 1, 1);
    EXPECT_NEAR(found->high, 1256, 1);
    EXPECT_THAT(notes_.warnings, ElementsAre());
}

TEST_F(ImportTest, TheRangeOfArraysIsKept) {
    const auto write = [&](const std::string& name, const Json& attributes) {
        auto writer =
            create_sequences(file(name), 1, {5, 1, 16, 16}, {.dtype = DType::f32, .attributes = attributes});
        writer->append(std::vector<float>(5 * 256, 280.0F));
        writer->finish();
    };
    write("a.h5", {{"range", {250, 310}}});
    write("b.h5", {{"range", {250, 310}}});
    write("c.h5", Json::object());
    auto o = options({file("a.h5"), file("b.h5")});
    import_sequences(o, notes_);
    EXPECT_EQ(open_sequences(o.output)->info().range, (ValueRange{250, 310}));
    EXPECT_THAT(notes_.warnings, ElementsAre());
    auto writer = create_sequences(file("bytes.h5"), 1, {5, 1, 16, 16}, {.attributes = {{"range", {0, 51}}}});
    writer->append(std::vector<std::uint8_t>(5 * 256, 40));
    writer->finish();
    auto bytes = options({file("bytes.h5")});
    bytes.force = true;
    import_sequences(bytes, notes_);
    EXPECT_EQ(open_sequences(bytes.output)->info().range, (ValueRange{0, 0.2}));  // of 255
    o.inputs.push_back(file("c.h5"));
    o.force = true;
    import_sequences(o, notes_);
    EXPECT_EQ(open_sequences(o.output)->info().range, std::nullopt);
    EXPECT_THAT(notes_.warnings, ElementsAre(AllOf(HasSubstr("250 to 310"), HasSubstr("of unknown in"),
                                                   HasSubstr("c.h5"), HasSubstr("--range"))));
}

/// Frame t of sequence n is 20 n + t, of [N,T,1,2,2] with a frame rate (or none).
class ImportArrays : public ImportTest {
  protected:
    std::string array(const std::string& name, std::int64_t count, std::int64_t frames, double fps) const {
        std::vector<std::uint8_t> values;
        for (std::int64_t n = 0; n < count; ++n) {
            for (std::int64_t t = 0; t < frames; ++t)
                values.insert(values.end(), 4, static_cast<std::uint8_t>(20 * n + t));
        }
        const auto writer =
            create_sequences(DataFile(file(name)), count, {frames, 1, 2, 2}, {.fps = fps, .force = true});
        writer->append(std::span<const std::uint8_t>(values));
        writer->finish();
        return file(name);
    }
    /// The frames of the written rows, as numbers.
    std::vector<std::vector<int>> rows() const {
        const auto reader = open_sequences(file("out.h5"));
        std::vector<std::vector<int>> out;
        for (std::int64_t row = 0; row < reader->info().count; ++row) {
            std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
            reader->read(row, 1, values);
            auto& numbers = out.emplace_back();
            for (std::size_t i = 0; i < values.size(); i += 4)
                numbers.push_back(static_cast<int>(values[i] * 255 + 0.5F));
        }
        return out;
    }
    ImportOptions options_of(const std::string& input) const {
        auto o = options({input});
        o.height = o.width = 2;
        o.force = true;
        return o;
    }
};

TEST_F(ImportArrays, AnotherRateTakesOtherFrames) {
    auto o = options_of(array("a.h5", 2, 9, 30));
    o.fps = 10;
    o.length = 3;
    import_sequences(o, notes_);
    EXPECT_THAT(rows(), ElementsAre(ElementsAre(1, 4, 7), ElementsAre(21, 24, 27))) << "as of a video";
    EXPECT_EQ(open_sequences(o.output)->info().fps, 10);
    o.fps = 60;
    o.length = 4;
    import_sequences(o, notes_);
    EXPECT_THAT(rows().front(), ElementsAre(0, 0, 1, 1));
    EXPECT_THAT(notes_.warnings, ElementsAre());
    // Nobody knows how many frames a second there were.
    o = options_of(array("b.h5", 1, 9, 0));
    o.fps = 10;
    o.length = 3;
    import_sequences(o, notes_);
    EXPECT_THAT(rows().front(), ElementsAre(0, 1, 2));
    EXPECT_THAT(notes_.warnings,
                ElementsAre(HasSubstr("b.h5: says no frame rate; its frames are taken as 10 per second")));
}

TEST_F(ImportArrays, TimesAreThoseOfEverySequence) {
    auto o = options_of(array("a.h5", 2, 9, 10));
    o.start = 0.2;
    o.end = 0.6;
    o.length = 2;
    import_sequences(o, notes_);
    EXPECT_THAT(rows(),
                ElementsAre(ElementsAre(2, 3), ElementsAre(4, 5), ElementsAre(22, 23), ElementsAre(24, 25)));
    o.inputs = {array("b.h5", 2, 9, 0)};
    EXPECT_THAT(error_of([&] { import_sequences(o, notes_); }),
                HasSubstr("b.h5: says no frame rate, so --start and --end"));
    o = options_of(file("a.h5"));
    o.stream = 1;
    EXPECT_THAT(error_of([&] { import_sequences(o, notes_); }), HasSubstr("--stream is for videos"));
}

TEST_F(ImportArrays, ValuesWithoutARangeAreTold) {
    std::vector<float> kelvin(8, 280.0F);
    kelvin[0] = 250;
    const auto writer = create_sequences(DataFile(file("k.h5")), 1, {2, 1, 2, 2}, {.dtype = DType::f32});
    writer->append(std::span<const float>(kelvin));
    writer->finish();
    auto o = options_of(file("k.h5"));
    o.length = 2;
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.warnings,
                ElementsAre(AllOf(HasSubstr("values reach from 250 to 280"), HasSubstr("--range"))));
    notes_.warnings.clear();
    o.range = ValueRange{250, 300};
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.warnings, ElementsAre());
}

TEST(FewBits, AreToldOfSixteenAlone) {
    const ValueRange sixteen{0, 65535};
    EXPECT_EQ(few_bits(12, 4000, sixteen),
              "values reach 4000 of 65535, as of a camera of 12 bits: everything is nearly black; stl import "
              "--range "
              "0,4095 makes "
              "4095 white");
    EXPECT_THAT(few_bits(0, 16383, sixteen), HasSubstr("14 bits"));
    EXPECT_EQ(few_bits(0, 16384, sixteen), "");
    EXPECT_EQ(few_bits(-1, 4000, sixteen), "");
    EXPECT_EQ(few_bits(0, 200, ValueRange{0, 255}), "");
    EXPECT_EQ(few_bits(0, 200, std::nullopt), "");
    EXPECT_EQ(few_bits(NAN, NAN, sixteen), "");
}

TEST_F(ImportTest, TwelveBitsInSixteenAreTold) {
    ffmpeg(
        "-f lavfi -i color=black:size=16x16:rate=5:duration=1 -vf format=gray16le,geq=lum='16*Y+X+3000' "
        "-pix_fmt "
        "gray16be " +
        file("%d.png"));
    auto o = options({file("*.png")});
    o.length = 1;
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.infos,
                testing::Contains(AllOf(HasSubstr("a camera of 12 bits"), HasSubstr("--range 0,4095"))));
    notes_.infos.clear();
    o.force = true;
    o.range = ValueRange{0, 4095};
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.infos, Not(testing::Contains(HasSubstr("a camera of"))));
}

TEST_F(ImportTest, FewSourcesAreDividedInTime) {
    counting_clip("a.mkv", 60);
    auto o = options({file("a.mkv")});
    o.split_by = SplitBy::usual;
    o.length = 5;
    o.stride = 1;
    const auto report = import_sequences(o, notes_);
    EXPECT_TRUE(report.split);
    EXPECT_THAT(report.per_split, ElementsAre(48 - 4, 6 - 4, 6 - 4)) << "none overlaps the next part";
    const auto reader = open_sequences(o.output);
    const Json& noted = reader->info().attributes;
    EXPECT_EQ(noted["split"]["by"], "time");
    EXPECT_EQ(noted["split"]["train"], 0.8);
    EXPECT_EQ(noted["parts"].size(), 3U);
    EXPECT_EQ(noted["parts"][2]["source"], file("a.mkv"));
    EXPECT_EQ(noted["parts"][2]["split"], "test");
    EXPECT_EQ(noted["parts"][2]["sequences"], 2);
    EXPECT_EQ(noted["options"]["size"], Json({16, 16}));

    // Too short to be divided: a tenth of it holds no sequence, and none is lost to a border.
    o.force = true;
    o.length = 7;
    const auto whole = import_sequences(o, notes_);
    EXPECT_FALSE(whole.split);
    EXPECT_EQ(whole.sequences, 60 - 6);
    EXPECT_THAT(notes_.warnings, ElementsAre());
    // Three sources are divided by source.
    counting_clip("b.mkv", 10);
    counting_clip("c.mkv", 10);
    o.inputs = {file("a.mkv"), file("b.mkv"), file("c.mkv")};
    o.length = 5;
    o.stride = 5;
    import_sequences(o, notes_);
    EXPECT_EQ(open_sequences(o.output)->info().attributes["split"]["by"], "source");
    EXPECT_EQ(open_sequences(o.output)->info().attributes["split"]["seed"], 0);
}

TEST_F(ImportTest, FramesOfArraysThatLackValuesAreGaps) {
    const SequenceShape shape{8, 1, 2, 2};
    auto writer = create_sequences(file("a.npy"), 1, shape, {.dtype = DType::f32});
    std::vector<float> values(8 * 4, 0.5F);
    values[3 * 4 + 1] = std::nanf("");
    writer->append(std::span<const float>(values));
    writer->finish();
    ImportOptions o;
    o.inputs = {file("a.npy")};
    o.output = file("out.h5");
    o.length = 3;
    o.stride = 1;
    const auto report = import_sequences(o, notes_);
    EXPECT_EQ(report.sequences, 1 + 2);  // frames 0 to 2, and two of 4 to 7
    EXPECT_EQ(report.frames, 7);
    EXPECT_THAT(notes_.warnings,
                ::testing::Contains(
                    HasSubstr("a.npy: 1 of 8 frames are left out: values are missing (NaN or fill values)")));
}

TEST_F(ImportTest, TellsMeanAndDeviationOfTraining) {
    // Ten sources, flat: 0, 20, ... 180.
    for (int i = 0; i < 10; ++i) {
        fs::create_directories(file(fmt::format("clips/{}", i)));
        const Image image(16, 16, 1, static_cast<std::uint8_t>(20 * i));
        for (int k = 0; k < 5; ++k) write_png(file(fmt::format("clips/{}/{}.png", i, k)), image);
    }
    auto o = options({file("clips")});
    o.train = 0.6;
    o.val = o.test = 0.2;
    import_sequences(o, notes_);
    auto reader = open_sequences(o.output);
    std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
    double sum = 0, squares = 0;
    for (const auto row : reader->rows(Split::train)) {
        reader->read(row, 1, values);
        sum += values[0] / 6;
        squares += double{values[0]} * values[0] / 6;
    }
    const auto told = reader->info().attributes.at("training_values");
    ASSERT_EQ(told["mean"].size(), 1U);
    EXPECT_NEAR(told["mean"][0].get<double>(), sum, 1e-6);
    EXPECT_NEAR(told["std"][0].get<double>(), std::sqrt(squares - sum * sum), 1e-6);
    EXPECT_TRUE(stored_normalization(reader->info(), "a").empty()) << "only where it is asked for";
    o.normalize = o.force = true;
    import_sequences(o, notes_);
    const auto n = stored_normalization(open_sequences(o.output)->info(), "a");
    EXPECT_THAT(n.mean, ElementsAre(::testing::DoubleNear(sum, 1e-6)));
    EXPECT_TRUE(notes_.warnings.empty());
}

TEST_F(ImportTest, WhatNeverChangesIsNotNormalised) {
    fs::create_directories(file("frames"));
    for (int k = 0; k < 5; ++k) write_png(file(fmt::format("frames/{}.png", k)), Image(16, 16, 1, 7));
    auto o = options({file("frames")});
    o.normalize = true;
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.warnings, ElementsAre(HasSubstr("same value everywhere")));
    EXPECT_TRUE(stored_normalization(open_sequences(o.output)->info(), "a").empty());
}

TEST_F(ImportTest, SaysThatFrameRatesDiffer) {
    for (const int rate : {10, 25}) {
        ffmpeg(fmt::format("-f lavfi -i testsrc2=size=32x32:rate={0}:duration=1 {1}", rate,
                           file(fmt::format("{}.mp4", rate))));
    }
    auto o = options({file("10.mp4"), file("25.mp4")});
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.warnings, ElementsAre(AllOf(HasSubstr("10 to 25 frames/s"), HasSubstr("--fps"))));
    notes_.warnings.clear();
    o.fps = 10;
    o.force = true;
    import_sequences(o, notes_);
    EXPECT_TRUE(notes_.warnings.empty());
}

TEST_F(ImportTest, FindsSourcesInFoldersAndPatterns) {
    counting_clip("b10.mkv", 10);
    fs::copy(file("b10.mkv"), file("b2.mkv"));
    fs::create_directories(file("more/frames"));
    write_png(file("more/frames/1.png"), Image(4, 4, 1));
    write_text(file("notes.txt"), "no source");
    const std::vector<std::string> whole{(folder_ / "").string()};
    std::vector<std::string> names;
    for (const auto& s : find_sources(whole)) names.push_back(s.file.path.filename().string());
    EXPECT_THAT(names, ElementsAre("b2.mkv", "b10.mkv", "frames"));
    const std::vector<std::string> pattern{file("b*.mkv"), file("b2.mkv")};
    EXPECT_EQ(find_sources(pattern).size(), 2U);
    const std::vector<std::string> nothing{file("c*.mkv")};
    EXPECT_THAT(error_of([&] { find_sources(nothing); }), HasSubstr("matches no file"));
    const std::vector<std::string> absent{file("none.mp4")};
    EXPECT_THAT(error_of([&] { find_sources(absent); }), HasSubstr("no such file"));
}

TEST_F(ImportTest, NoSequenceRunsOverAGapInPictureNumbers) {
    fs::create_directories(file("gap"));
    for (const int k : {1, 2, 3, 7, 8, 9})
        write_png(file(fmt::format("gap/f_{:02}.png", k)),
                  Image(16, 16, 1, static_cast<std::uint8_t>(10 * k)));
    auto o = options({file("gap")});
    o.length = 3;
    o.stride = 1;
    EXPECT_EQ(import_sequences(o, notes_).sequences, 2);
    EXPECT_THAT(numbers(0), ElementsAre(1, 2, 3));
    EXPECT_THAT(numbers(1), ElementsAre(7, 8, 9));
    EXPECT_THAT(notes_.warnings, ElementsAre(AllOf(HasSubstr("f_03.png"), HasSubstr("f_07.png"))));
}

TEST_F(ImportTest, NoSequenceRunsOverAPictureOfAnUnknownKind) {
    fs::create_directories(file("mixed"));
    for (const int k : {0, 2, 3}) write_png(file(fmt::format("mixed/{}.png", k)), Image(16, 16, 1));
    write_text(file("mixed/1.heic"), "not for us");
    auto o = options({file("mixed")});
    o.length = 2;
    o.stride = 1;
    EXPECT_EQ(import_sequences(o, notes_).sequences, 1);
    EXPECT_THAT(notes_.warnings, ElementsAre(AllOf(HasSubstr("1 of 4 pictures"), HasSubstr("passed over"))));
    fs::create_directories(file("foreign"));
    write_text(file("foreign/1.heic"), "not for us");
    notes_.warnings.clear();
    EXPECT_THAT(error_of([&] { import_sequences(options({file("foreign")}), notes_); }),
                HasSubstr("no videos, pictures or arrays"));
    EXPECT_THAT(notes_.warnings,
                ElementsAre(HasSubstr("1 of 1 picture is of a kind that can't be read (.heic)")));
}

TEST_F(ImportTest, LinksAreFollowedButNotInCircles) {
    for (const auto* folder : {"elsewhere/a", "elsewhere/b", "clips/own"}) {
        fs::create_directories(file(folder));
        for (int k = 0; k < 5; ++k) write_png(file(fmt::format("{}/{}.png", folder, k)), Image(16, 16, 1));
    }
    fs::create_directory_symlink("../elsewhere/a", file("clips/linked"));
    fs::create_directory_symlink("..", file("clips/around"));
    fs::create_directory_symlink(file("clips"), file("elsewhere/a/back"));
    fs::create_directory_symlink("itself", file("clips/itself"));
    fs::create_symlink("/nowhere", file("clips/gone.mp4"));
    const std::vector<std::string> inputs{file("clips")};
    std::vector<std::string> names;
    const auto warn = [&](const std::string& line) { notes_.warn(line); };
    for (const auto& s : find_sources(inputs, warn)) names.push_back(s.file.path.filename().string());
    EXPECT_THAT(names, ElementsAre("linked", "own")) << "elsewhere/b is around, not in it";
    EXPECT_THAT(notes_.warnings,
                ElementsAre(HasSubstr("gone.mp4: a dangling link, skipped"), HasSubstr("itself")));
    EXPECT_EQ(import_sequences(options(inputs), notes_).sequences, 2);
}

TEST_F(ImportTest, StacksInAFolderAreFilmsOfTheirOwn) {
    fs::create_directories(file("stacks"));
    for (int k = 0; k < 2; ++k)
        write_text(file(fmt::format("stacks/s{}.tif", k)), test::tiff_of({0, 10, 20, 30, 40, 50}, true));
    const ImportReport report = import_sequences(options({file("stacks")}), notes_);
    EXPECT_EQ(report.sources, 2);
    EXPECT_EQ(report.sequences, 2);
    EXPECT_THAT(numbers(1), ElementsAre(0, 1, 2, 3, 4));
    EXPECT_TRUE(notes_.warnings.empty());
}

TEST_F(ImportTest, SaysThatASplitIsEmptyOrFarFromItsShare) {
    counting_clip("a.mkv", 24);
    auto o = options({file("a.mkv")});
    o.length = 10;
    o.split_by = SplitBy::time;
    EXPECT_THAT(import_sequences(o, notes_).per_split, ElementsAre(2, 0, 0));
    EXPECT_THAT(notes_.warnings,
                ElementsAre(AllOf(HasSubstr("2 sequences for training, 0 for validation and 0 for test"),
                                  HasSubstr("0.8, 0.1 and 0.1"), HasSubstr("10 frames"))));
    notes_.warnings.clear();
    counting_clip("b.mkv", 5);
    counting_clip("c.mkv", 5);
    o = options({file("a.mkv"), file("b.mkv"), file("c.mkv")});
    o.force = true;
    o.length = 2;
    o.stride = 1;
    o.train = 0.34;
    o.val = o.test = 0.33;
    import_sequences(o, notes_);
    EXPECT_THAT(notes_.warnings, ElementsAre(HasSubstr("--split-by time"))) << "23, 4 and 4 sequences";
}

TEST_F(ImportTest, WarnsOfBadSourcesAndGoesOn) {
    counting_clip("a.mkv", 10);
    write_text(file("b.mp4"), "not a video at all");
    counting_clip("c.mkv", 3);
    const ImportReport report =
        import_sequences(options({file("a.mkv"), file("b.mp4"), file("c.mkv")}), notes_);
    EXPECT_EQ(report.sources, 2);
    EXPECT_EQ(report.unusable, 1);
    EXPECT_EQ(report.too_short, 1);
    ASSERT_EQ(notes_.warnings.size(), 2U);
    EXPECT_THAT(notes_.warnings[0], HasSubstr("b.mp4"));
    EXPECT_THAT(notes_.warnings[1], AllOf(HasSubstr("c.mkv"), HasSubstr("too short")));
}

/// Sequences of six 16x16 frames of noise, packed; those of the second half are damaged.
void half_damaged(const std::string& name) {
    const SequenceShape shape{6, 1, 16, 16};
    auto writer = create_sequences(name, 8, shape, {.compression = 4});
    std::vector<std::uint8_t> values(static_cast<std::size_t>(8 * shape.elements()));
    std::uint32_t state = 1;
    for (auto& value : values)
        value = static_cast<std::uint8_t>((state = state * 1664525U + 1013904223U) >> 24);
    writer->append(std::span<const std::uint8_t>(values));
    writer->finish();
    auto bytes = read_text(name);
    for (std::size_t i = bytes.size() / 2; i < bytes.size() * 3 / 4; ++i) bytes[i] = 'x';
    write_text(name, bytes);
}

TEST_F(ImportTest, WhatADamagedSourceGaveIsCounted) {
    half_damaged(file("a.h5"));
    counting_clip("b.mkv", 10);
    auto o = options({file("a.h5"), file("b.mkv")});
    const ImportReport report = import_sequences(o, notes_);
    EXPECT_EQ(report.sources, 2);
    EXPECT_EQ(report.unusable, 0);
    EXPECT_GT(report.sequences, 2);
    EXPECT_EQ(open_sequences(o.output)->info().count, report.sequences);
    ASSERT_EQ(notes_.warnings.size(), 1U);
    EXPECT_THAT(notes_.warnings[0],
                AllOf(HasSubstr("a.h5"), HasSubstr("damaged"), HasSubstr("the frames before it are used")));
}

TEST_F(ImportTest, NamesThatAreNoUtf8AreNotedAsTheyCanBe) {
    counting_clip("a.mkv", 5);
    fs::rename(file("a.mkv"), file("a\xe4.mkv"));
    const auto o = options({file("a\xe4.mkv")});
    EXPECT_EQ(import_sequences(o, notes_).sequences, 1);
    const auto noted = open_sequences(o.output)->info().attributes;
    EXPECT_EQ(noted["sources"][0], "a\xef\xbf\xbd.mkv");
    EXPECT_THAT(noted["source"].get<std::string>(), HasSubstr("a\xef\xbf\xbd.mkv"));
}

TEST_F(ImportTest, TheOutputMayNotBeAnInput) {
    auto writer = create_sequences(file("a.h5"), 1, {6, 1, 4, 4}, {});
    writer->append(std::vector<std::uint8_t>(6 * 16, 9));
    writer->finish();
    const auto before = read_text(file("a.h5"));
    counting_clip("b.mkv", 10);
    for (const auto& input : {file("a.h5"), file("a.h5:sequences"), folder_.path().string()}) {
        auto o = options({file("b.mkv"), input});
        o.output = (folder_ / "./a.h5").string();
        o.force = true;
        EXPECT_THAT(error_of([&] { import_sequences(o, notes_); }), HasSubstr("a.h5: is also an input"));
    }
    EXPECT_TRUE(read_text(file("a.h5")) == before) << "it was replaced";
}

TEST_F(ImportTest, LeavesNothingWhenItFails) {
    counting_clip("a.mkv", 23);
    write_text(file("b.mp4"), "not a video at all");
    auto o = options({file("a.mkv")});
    EXPECT_THROW(import_sequences(o, notes_, [] { return true; }), Interrupted);
    EXPECT_THAT(error_of([&] { import_sequences(options({file("b.mp4")}), notes_); }), HasSubstr("b.mp4"));
    o.length = 100;
    EXPECT_THAT(error_of([&] { import_sequences(o, notes_); }), HasSubstr("not one sequence of 100 frames"));
    o.length = 5;
    o.val = 0.5;
    EXPECT_THAT(error_of([&] { import_sequences(o, notes_); }), HasSubstr("1 source can't be divided"));
    o.val = 0.9;
    o.test = 0.9;
    EXPECT_THAT(error_of([&] { import_sequences(o, notes_); }), HasSubstr("do not add up to 1"));
    EXPECT_TRUE(only_inputs_left(2));
    o.val = o.test = std::nullopt;
    write_text(o.output.path, "precious");
    EXPECT_THAT(error_of([&] { import_sequences(o, notes_); }), HasSubstr("--force"));
    EXPECT_EQ(read_text(o.output.path), "precious");
}

TEST_F(ImportTest, SaysThatTheDiskIsFull) {
    ffmpeg("-f lavfi -i testsrc2=size=96x96:rate=25:duration=4 " + file("a.mp4"));
    auto o = options({file("a.mp4")});
    o.height = o.width = 96;
    o.compression = 0;
    const std::string message = error_of([&] {
        const test::FullDisk full(50000);
        import_sequences(o, notes_);
    });
    EXPECT_THAT(message, AllOf(HasSubstr("out.h5"), HasSubstr("cannot be written"),
                               Not(HasSubstr("file descriptor"))));
    EXPECT_TRUE(only_inputs_left(1));
}

TEST(Windows, LengthStrideAndBreaks) {
    std::vector<std::string> rows;
    Windows windows(2, 1, [&](Windows::Bytes row) {
        std::string text;
        for (const auto b : row) text += static_cast<char>(b);
        rows.push_back(text);
    });
    const auto add = [&](char c) { windows.add(std::vector{static_cast<std::byte>(c)}); };
    add('a');
    add('b');
    add('c');
    windows.break_here();
    add('d');
    add('e');
    EXPECT_THAT(rows, ElementsAre("ab", "bc", "de"));
}

TEST(Inspect, MeasuresValuesAndMotion) {
    const test::TemporaryFolder folder;
    const std::string path = (folder / "a.h5").string();
    auto writer = create_sequences(path, 2, {2, 1, 1, 2}, {.dtype = DType::f32});
    const float nan = std::nanf("");
    writer->append(std::vector<float>{0, 1, 0, 1, 0.5F, nan, 1, nan});
    writer->finish();
    Reporter silent;
    const auto reader = open_sequences(path);
    const SequenceStatistics s = measure(*reader, 100, silent);
    EXPECT_EQ(s.rows, 2);
    EXPECT_EQ(s.non_finite, 2);
    EXPECT_DOUBLE_EQ(s.mean, 3.5 / 6);
    EXPECT_DOUBLE_EQ(s.minimum, 0);
    EXPECT_DOUBLE_EQ(s.maximum, 1);
    EXPECT_DOUBLE_EQ(s.motion, 0.5 / 3);
    EXPECT_DOUBLE_EQ(s.still, 0.5);
    EXPECT_THAT(count_splits(*reader), ElementsAre(0, 0, 0));
}

}  // namespace
}  // namespace stl
