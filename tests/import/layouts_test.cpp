// Published data sets from small files in their layouts, read back by the data sets' reader.

#include "stl/import/layouts/layout.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "stl/archive/zip.h"
#include "stl/core/error.h"
#include "stl/data/normalization.h"
#include "stl/data/registry.h"
#include "stl/import/layouts/pictures.h"
#include "stl/import/layouts/weather.h"
#include "tests/import/layout_files.h"
#include "tests/media/tools.h"
#include "tests/support/notes.h"

namespace stl {
namespace {

using test::error_of;
using test::Hdf5File;
using test::Notes;
using test::npy;
using test::write_file;
using test::write_flat;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::int64_t volume(const Shape& shape) {
    return element_count(shape, "test");
}

class LayoutTest : public ::testing::Test {
  protected:
    explicit LayoutTest(std::string name = "") : name_(std::move(name)) {}

    fs::path in(const std::string& name) const { return folder_ / ("in/" + name); }
    LayoutOptions options() const {
        LayoutOptions o;
        o.name = name_;
        o.folder = folder_ / "in";
        o.output = folder_ / "out.h5";
        o.force = true;
        return o;
    }
    ImportReport import(const LayoutOptions& o) { return import_layout(o, notes_); }
    /// One line that names the folder or file, and nothing is left.
    std::string error(const LayoutOptions& o) {
        auto message = error_of([&] { import_layout(o, notes_); });
        for (const auto& entry : fs::directory_iterator(folder_ / ".")) {
            EXPECT_EQ(entry.path().filename(), "in") << message;
        }
        return message;
    }
    std::string error() { return error(options()); }

    std::unique_ptr<SequenceReader> result() const { return open_sequences((folder_ / "out.h5").string()); }
    std::vector<float> row(std::int64_t n) const {
        const auto reader = result();
        std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
        reader->read(n, 1, values);
        return values;
    }
    /// The first value of each channel of each frame of a row, as bytes.
    std::vector<int> corners(std::int64_t n) const {
        const auto shape = result()->info().shape;
        const auto values = row(n);
        std::vector<int> bytes;
        for (std::int64_t i = 0; i < shape.frames * shape.channels; ++i) {
            const auto value = values[static_cast<std::size_t>(i * shape.height * shape.width)];
            bytes.push_back(static_cast<int>(std::lround(value * 255)));
        }
        return bytes;
    }

    test::TemporaryFolder folder_;
    std::string name_;
    Notes notes_;
};

// --- the family -----------------------------------------------------------------------------------------

TEST(Layouts, EveryOneIsADataSetWithItsPages) {
    for (const auto& info : layouts()) {
        SCOPED_TRACE(info.name);
        const auto& data = find_dataset(info.name, "test");
        EXPECT_THAT(data.source, HasSubstr("http"));
        const fs::path folder = fs::path(STL_SOURCE_DIR "/datasets") / info.name;
        EXPECT_THAT(read_text(folder / "README.md"), HasSubstr("stl import --from " + info.name));
        const auto spec = read_json(folder / "spec.json");
        const auto options = DatasetOptions::from_json({{"name", info.name},
                                                        {"input_frames", spec.at("frames").at("input")},
                                                        {"output_frames", spec.at("frames").at("output")},
                                                        {"path", "/nowhere.h5"}},
                                                       "spec");
        EXPECT_EQ(options.total_frames(), info.length);
        const auto frame = data.frame(options);
        EXPECT_EQ(spec.at("frame").at("channels"), frame.channels);
        EXPECT_EQ(spec.at("frame").at("height"), frame.height);
        EXPECT_EQ(spec.at("frame").at("width"), frame.width);
        EXPECT_THAT(error_of([&] { make_dataset(options, Split::train, 1); }),
                    AllOf(HasSubstr(data.source),
                          HasSubstr("stl import --from " + info.name + " FOLDER --output /nowhere.h5")));
    }
}

TEST(Layouts, UnknownOnesAndFoldersAreNamed) {
    const test::TemporaryFolder folder;
    Notes notes;
    LayoutOptions o;
    o.name = "kthh";
    o.folder = folder / "none";
    EXPECT_THAT(error_of([&] { import_layout(o, notes); }), HasSubstr("(did you mean 'kth'?)"));
    o.name = "taxibj";
    EXPECT_THAT(error_of([&] { import_layout(o, notes); }),
                AllOf(HasSubstr("none: no such folder"), HasSubstr("dataset.npz")));
    o.variable = "t2m";
    EXPECT_THAT(error_of([&] { import_layout(o, notes); }),
                HasSubstr("--variable and --first-year do not apply to taxibj"));
}

TEST(Layouts, SequencesEndWithTheRun) {
    EXPECT_THAT(starts_from_end(10, 4, 4), ElementsAre(2, 6));
    EXPECT_THAT(starts_from_end(10, 4, 3), ElementsAre(0, 3, 6));
    EXPECT_THAT(starts_from_end(4, 4, 4), ElementsAre(0));
    EXPECT_THAT(starts_from_end(3, 4, 1), IsEmpty());
}

// --- pictures -------------------------------------------------------------------------------------------

/// `taps` applied to values.
std::vector<float> sampled(const AxisTaps& taps, const std::vector<float>& values) {
    std::vector<float> out;
    for (const auto& tap : taps.taps) {
        float sum = 0;
        for (int i = 0; i < tap.count; ++i) {
            sum += taps.values[tap.weights + static_cast<std::size_t>(i)] *
                   values[static_cast<std::size_t>(tap.first + i)];
        }
        out.push_back(sum);
    }
    return out;
}

TEST(LayoutPictures, LinearAndCubicAreOpenCVs) {
    const std::vector<float> values{0, 10, 20, 30, 40};
    EXPECT_THAT(sampled(linear_taps(5, 4), values),
                ElementsAre(FloatEq(1.25F), FloatEq(13.75F), FloatEq(26.25F), FloatEq(38.75F)));
    EXPECT_EQ(sampled(linear_taps(5, 5), values), values);
    EXPECT_EQ(sampled(cubic_taps(5, 5), values), values);
    // Halfway between samples the weights are -3/32, 19/32, 19/32, -3/32; edges are repeated.
    EXPECT_THAT(sampled(cubic_taps(4, 2), {0, 0, 32, 0}),
                ElementsAre(FloatNear(-3, 1e-4), FloatNear(19, 1e-4)));
    EXPECT_THAT(sampled(cubic_taps(4, 2), {32, 0, 0, 0}), ElementsAre(FloatNear(16, 1e-4), 0));
}

TEST(LayoutPictures, SmoothIsScikitImages) {
    // 4 to 2: deviation 0.5, radius 2, mirrored edges, then halfway between samples.
    const double far = std::exp(-8.0), near = std::exp(-2.0), sum = 1 + 2 * near + 2 * far;
    // Sample 0 of a b c d sees (a + 2 near b + 2 far c), sample 1 (near a + b + near c + far (b + d)).
    const auto expected = static_cast<float>(0.5 * (1 + near) / sum);
    EXPECT_THAT(sampled(smooth_taps(4, 2), {1, 0, 0, 0})[0], FloatNear(expected, 1e-6));
    EXPECT_THAT(sampled(smooth_taps(480, 128), std::vector<float>(480, 7)), Each(FloatNear(7, 1e-4)));
    EXPECT_EQ(sampled(smooth_taps(3, 3), {1, 2, 4}), (std::vector<float>{1, 2, 4}));
}

TEST(LayoutPictures, PlanesKeepOrTurnTheColours) {
    Image image(1, 2, 3);
    image.pixels = {10, 20, 30, 12, 22, 32};
    EXPECT_THAT(planes_of(image), ElementsAre(10, 12, 20, 22, 30, 32));
    EXPECT_THAT(planes_of(image, true), ElementsAre(30, 32, 20, 22, 10, 12));
    const auto one = linear_taps(2, 1);
    EXPECT_THAT(planes_of(image, linear_taps(1, 1), one, true), ElementsAre(31, 21, 11));
}

// --- TaxiBJ ---------------------------------------------------------------------------------------------

class TaxibjLayout : public LayoutTest {
  protected:
    TaxibjLayout() : LayoutTest("taxibj") {}

    /// Values count up by 1/64 from `first`.
    static std::string array(const Shape& shape, float first) {
        std::vector<float> values(static_cast<std::size_t>(volume(shape)));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i) / 64;
        return npy(shape, DType::f32, values);
    }
    void write(std::int64_t train_y = 2, const char* last = "Y_test") const {
        fs::create_directories(in("dataset.npz").parent_path());
        ZipWriter zip(in("dataset.npz"), "dataset.npz");
        zip.add("X_train.npy", array({2, 4, 2, 3, 3}, -1));
        zip.add("Y_train.npy", array({train_y, 4, 2, 3, 3}, 3));
        zip.add("X_test.npy", array({1, 4, 2, 3, 3}, 5));
        zip.add(std::string(last) + ".npy", array({1, 4, 2, 3, 3}, 7));
        zip.finish();
    }
};

TEST_F(TaxibjLayout, ValuesAndSplitsAreExact) {
    write();
    const auto report = import(options());
    EXPECT_THAT(report.per_split, ElementsAre(2, 0, 1));
    const auto reader = result();
    EXPECT_EQ(reader->info().shape, (SequenceShape{8, 2, 3, 3}));
    EXPECT_THAT(reader->rows(Split::train), ElementsAre(0, 1));
    EXPECT_THAT(reader->rows(Split::test), ElementsAre(2));
    const std::array<std::pair<float, float>, 3> firsts{
        std::pair(-1.0F, 3.0F), std::pair(-1.0F + 72.0F / 64, 3.0F + 72.0F / 64), std::pair(5.0F, 7.0F)};
    for (std::int64_t n = 0; n < 3; ++n) {
        std::vector<float> expected;
        for (const float first :
             {firsts[static_cast<std::size_t>(n)].first, firsts[static_cast<std::size_t>(n)].second}) {
            for (int i = 0; i < 72; ++i) expected.push_back((first + static_cast<float>(i) / 64 + 1) / 2);
        }
        EXPECT_EQ(row(n), expected) << n;
    }
}

TEST_F(TaxibjLayout, TrainsByItsName) {
    write();
    import(options());
    const auto data = make_dataset(DatasetOptions::from_json({{"name", "taxibj"},
                                                              {"input_frames", 4},
                                                              {"output_frames", 4},
                                                              {"path", (folder_ / "out.h5").string()}},
                                                             "test"),
                                   Split::test, 1);
    ASSERT_EQ(data->size(), 1);
    std::vector<float> values(144);
    data->fetch(0, 0, values);
    EXPECT_EQ(values.front(), 3.0F);
}

TEST_F(TaxibjLayout, MistakesAreNamed) {
    fs::create_directories(in("."));
    EXPECT_THAT(error(), AllOf(HasSubstr("in: dataset.npz is missing, expected dataset.npz with X_train"),
                               HasSubstr("(from http")));
    write(1);
    EXPECT_THAT(error(), HasSubstr("dataset.npz: X_train and Y_train: 2 x 4 frames of 2x3x3 and 1 x"));
    write(2, "Z_test");
    EXPECT_THAT(error(), HasSubstr("dataset.npz: no array 'Y_test'"));
    write();
    auto o = options();
    o.length = 10;
    EXPECT_THAT(error(o), HasSubstr("8 frames of 2x3x3, expected 10 frames of 2x3x3"));
    const auto whole = read_text(in("dataset.npz"));
    write_file(in("dataset.npz"), whole.substr(0, whole.size() - 40));
    EXPECT_THAT(error(), HasSubstr("dataset.npz"));
}

TEST_F(TaxibjLayout, InterruptedOrExistingNothingIsWritten) {
    write();
    EXPECT_THROW(import_layout(options(), notes_, [] { return true; }), Interrupted);
    EXPECT_FALSE(fs::exists(folder_ / "out.h5"));
    import(options());
    auto o = options();
    o.force = false;
    EXPECT_THAT(error_of([&] { import(o); }), HasSubstr("--force"));
}

// --- KTH ------------------------------------------------------------------------------------------------

class KthLayout : public LayoutTest {
  protected:
    KthLayout() : LayoutTest("kth") {
        for (const auto* action : {"boxing", "handclapping", "handwaving", "walking", "jogging", "running"}) {
            fs::create_directories(in(action));
            clip(fmt::format("{}/person25_{}_d1_uncomp", action, action), {});
        }
    }
    /// Frame k is flat, of value k; other files are passed over.
    void clip(const std::string& name, const std::vector<int>& numbers) const {
        write_flat(in(name + "/image_9999.png"), 6, 8, {0});
        write_file(in(name + "/notes.txt"), "x");
        for (const int k : numbers) {
            write_flat(in(fmt::format("{}/image_{:04}.png", name, k)), 6, 8, {static_cast<std::uint8_t>(k)});
        }
    }
    LayoutOptions short_ones() const {
        auto o = options();
        o.length = 3;
        return o;
    }
};

TEST_F(KthLayout, SequencesFollowTheRunsOfNumbers) {
    clip("boxing/person02_boxing_d1_uncomp", {1, 2, 3, 4, 5, 6, 7, 20, 21, 22});
    clip("boxing/person17_boxing_d2_uncomp", {5, 6, 7, 8});
    clip("running/person16_running_d1_uncomp", {1, 2, 3, 4, 5, 6, 7});
    const auto report = import(short_ones());
    EXPECT_THAT(report.per_split, ElementsAre(5, 0, 1));
    EXPECT_EQ(result()->info().shape, (SequenceShape{3, 1, 128, 128}));
    EXPECT_EQ(result()->info().dtype, DType::u8);
    EXPECT_THAT(corners(0), ElementsAre(2, 3, 4));
    EXPECT_THAT(corners(1), ElementsAre(5, 6, 7));
    EXPECT_THAT(corners(2), ElementsAre(20, 21, 22));
    EXPECT_THAT(corners(3), ElementsAre(6, 7, 8));
    EXPECT_THAT(corners(4), ElementsAre(2, 3, 4)) << "running: one every three frames";
    EXPECT_THAT(corners(5), ElementsAre(5, 6, 7));
    EXPECT_THAT(result()->rows(Split::test), ElementsAre(3));
}

TEST_F(KthLayout, PicturesAreSampledLinearly) {
    Image image(120, 160, 1);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
        image.pixels[i] = static_cast<std::uint8_t>(i % 160 + (i / 160) / 2);
    }
    for (const char* k : {"1", "2", "3"}) {
        const auto path = in(fmt::format("walking/person01_walking_d1/image_000{}.png", k));
        fs::create_directories(path.parent_path());
        write_text(path, encode_png(image));
    }
    import(short_ones());
    const auto values = row(0);
    for (const int y : {0, 64, 127}) {
        for (const int x : {0, 50, 127}) {
            const double column = std::max(0.0, (x + 0.5) * 1.25 - 0.5);
            const auto at = [&](double line) {
                const int l = static_cast<int>(std::clamp(line, 0.0, 119.0));
                const auto c = static_cast<int>(column);
                return image.at(l, c) + (column - c) * (image.at(l, std::min(c + 1, 159)) - image.at(l, c));
            };
            const double line = (y + 0.5) * 0.9375 - 0.5, whole = std::floor(line);
            const double expected = at(whole) + (line - whole) * (at(whole + 1) - at(whole));
            EXPECT_NEAR(values[static_cast<std::size_t>(y * 128 + x)] * 255, expected, 0.501)
                << y << " " << x;
        }
    }
}

TEST_F(KthLayout, VideosKeepTheFramesThatTheAuthorsList) {
    const auto video = in("jogging/person03_jogging_d1_uncomp.avi");
    test::ffmpeg(
        "-f lavfi -i color=black:size=160x120:rate=25:duration=0.4 -vf format=gray,geq=lum=10*N -c:v "
        "ffv1 -pix_fmt gray " +
        video.string());
    EXPECT_THAT(import(short_ones()).per_split, ElementsAre(3, 0, 0));
    ASSERT_EQ(notes_.warnings.size(), 1U);
    EXPECT_THAT(notes_.warnings[0], HasSubstr("00sequences.txt"));
    EXPECT_THAT(corners(0), ElementsAre(10, 20, 30));

    write_file(
        in("00sequences.txt"),
        "Sequences\r\nperson03_jogging_d1\t\tframes\t2-3, 4-5, 7-9\r\nperson03_jogging_d2 *missing*\r\n");
    notes_.warnings.clear();
    EXPECT_THAT(import(short_ones()).per_split, ElementsAre(2, 0, 0));
    EXPECT_THAT(notes_.warnings, IsEmpty());
    EXPECT_THAT(corners(0), ElementsAre(20, 30, 40));
    EXPECT_THAT(corners(1), ElementsAre(60, 70, 80));
}

TEST_F(KthLayout, MistakesAreNamed) {
    EXPECT_THAT(error(short_ones()), HasSubstr("not one sequence of 3 frames"));
    fs::create_directories(in("boxing/person26_boxing_d1"));
    EXPECT_THAT(error(), HasSubstr("person26_boxing_d1: expected a name such as person01_boxing_d1"));
    fs::remove_all(in("boxing/person26_boxing_d1"));
    write_file(in("walking/person01_walking_d1/image_x.png"), "x");
    EXPECT_THAT(error(), HasSubstr("image_x.png: expected a name such as image_0001.jpg"));
    fs::remove_all(in("walking/person01_walking_d1"));
    write_file(in("walking/person01_walking_d1/image_0001.png"), "x");
    EXPECT_THAT(error(), HasSubstr("image_0001.png: not a picture"));
    fs::remove_all(in("walking/person01_walking_d1"));
    write_file(in("00sequences.txt"), "person03_jogging_d1 frames 9-2");
    EXPECT_THAT(error(), HasSubstr("00sequences.txt: '9-2' of person03_jogging_d1 is not a range"));
    fs::remove_all(in("jogging"));
    EXPECT_THAT(error(), HasSubstr("in: jogging is missing, expected the folders boxing"));
}

// --- Human3.6M ------------------------------------------------------------------------------------------

class HumanLayout : public LayoutTest {
  protected:
    HumanLayout() : LayoutTest("human") {}

    void write(int height = 256) const {
        for (int k = 1; k <= 31; k += 5) picture("S1_A.1_", k, height);
        for (int k = 2; k <= 17; k += 5) picture("S9_B.2_", k, height);
        write_file(in("train.txt"), "images/S1_A.1_,11,26\nimages/S1_A.1_,1,16\r\n\n");
        write_file(in("test.txt"), "images/S9_B.2_,2,17\n");
    }
    void picture(const std::string& prefix, int k, int height) const {
        const auto path = in(fmt::format("images/{}{:06}.jpg", prefix, k));
        write_flat(path, height, height, {static_cast<std::uint8_t>(k), 100, 200});
    }
    LayoutOptions short_ones() const {
        auto o = options();
        o.length = 4;
        return o;
    }
};

TEST_F(HumanLayout, EveryFifthFrameOfTheLists) {
    write();
    const auto report = import(short_ones());
    EXPECT_THAT(report.per_split, ElementsAre(2, 0, 1));
    EXPECT_EQ(report.frames, 10) << "frames that sequences share are stored once";
    EXPECT_EQ(result()->info().shape, (SequenceShape{4, 3, 256, 256}));
    EXPECT_THAT(corners(0), ElementsAre(11, 100, 200, 16, 100, 200, 21, 100, 200, 26, 100, 200));
    EXPECT_THAT(corners(1), ElementsAre(1, 100, 200, 6, 100, 200, 11, 100, 200, 16, 100, 200));
    EXPECT_THAT(corners(2), ElementsAre(2, 100, 200, 7, 100, 200, 12, 100, 200, 17, 100, 200));
    EXPECT_THAT(result()->rows(Split::test), ElementsAre(2));
}

TEST_F(HumanLayout, OtherSizesAndOpenCVsColours) {
    write(64);
    auto o = short_ones();
    o.opencv_colors = true;
    import(o);
    EXPECT_EQ(result()->info().shape, (SequenceShape{4, 3, 256, 256}));
    EXPECT_THAT(corners(2), ElementsAre(200, 100, 2, 200, 100, 7, 200, 100, 12, 200, 100, 17));
}

TEST_F(HumanLayout, MistakesAreNamed) {
    write();
    fs::remove(in("images/S9_B.2_000012.jpg"));
    EXPECT_THAT(error(short_ones()), HasSubstr("images/S9_B.2_000012.jpg: no such picture"));
    write_file(in("test.txt"), "images/S9_B.2_,2,17\nimages/S9_B.2_;2\n");
    EXPECT_THAT(error(short_ones()), HasSubstr("test.txt: line 2: 'images/S9_B.2_;2', expected a name"));
    write_file(in("test.txt"), "\n");
    EXPECT_THAT(error(short_ones()), HasSubstr("test.txt: names no sequence"));
    fs::remove(in("test.txt"));
    EXPECT_THAT(error(), HasSubstr("in: test.txt is missing, expected train.txt, test.txt"));
}

// --- KITTI and Caltech ----------------------------------------------------------------------------------

class KittiLayout : public LayoutTest {
  protected:
    KittiLayout() : LayoutTest("kitticaltech") {}

    /// Frames k = 1.. [count,128,160,3]: k, 100, 200.
    static std::vector<std::uint8_t> frames(int count) {
        std::vector<std::uint8_t> values;
        for (int k = 1; k <= count; ++k) {
            for (int i = 0; i < 128 * 160; ++i) {
                values.insert(values.end(), {static_cast<std::uint8_t>(k), 100, 200});
            }
        }
        return values;
    }
    void write_kitti(const std::string& part, const std::vector<std::string>& films,
                     const char* name = "data") const {
        const auto n = static_cast<int>(films.size());
        Hdf5File(in("kitti_hkl/X_" + part + ".hkl")).add(name, {n, 128, 160, 3}, frames(n));
        Hdf5File sources(in("kitti_hkl/sources_" + part + ".hkl"));
        sources.add(name, films);
        sources.add("type", std::vector<std::string>{"list"});
    }
    void write_cache(const std::vector<std::int32_t>& indices, int count = 6) const {
        write_file(in("caltech/data_cache.npy"), npy({count, 128, 160, 3}, DType::u8, frames(count)));
        write_file(in("caltech/indices_cache.npy"),
                   npy({static_cast<std::int64_t>(indices.size())}, DType::i32, indices));
    }
    LayoutOptions short_ones() const {
        auto o = options();
        o.length = 2;
        return o;
    }
};

TEST_F(KittiLayout, FilmsAndTheCache) {
    write_kitti("train", {"city-a", "city-a", "city-a", "city-b", "city-c", "city-c"});
    write_cache({4, 0});
    EXPECT_THAT(import(short_ones()).per_split, ElementsAre(2, 0, 2));
    EXPECT_EQ(result()->info().shape, (SequenceShape{2, 3, 128, 160}));
    EXPECT_THAT(corners(0), ElementsAre(2, 100, 200, 3, 100, 200));
    EXPECT_THAT(corners(1), ElementsAre(5, 100, 200, 6, 100, 200));
    EXPECT_THAT(corners(2), ElementsAre(200, 100, 5, 200, 100, 6)) << "the cache is blue first";
    EXPECT_THAT(corners(3), ElementsAre(200, 100, 1, 200, 100, 2));
    EXPECT_THAT(result()->rows(Split::test), ElementsAre(2, 3));

    write_kitti("val", {"x", "x", "y"}, "data_0");
    Hdf5File(in("kitti_hkl/sources_val.hkl")).add_variable("data_0", {"x", "x", "y"});
    auto o = short_ones();
    o.opencv_colors = true;
    EXPECT_THAT(import(o).per_split, ElementsAre(2, 1, 2));
    EXPECT_THAT(corners(2), ElementsAre(1, 100, 200, 2, 100, 200));
    EXPECT_THAT(corners(3), ElementsAre(5, 100, 200, 6, 100, 200)) << "as the cache has it";
}

TEST_F(KittiLayout, FilmsOfTheAuthors) {
    std::vector<std::string> pictures;
    for (int k = 0; k < 7; ++k) {
        const auto path = (folder_ / "in.jpg").string();
        test::ffmpeg(
            fmt::format("-f lavfi -i color=0x{:02x}6432:size=640x480 -frames:v 1 -q:v 1 {}", 30 * k, path));
        pictures.push_back(read_text(path));
        fs::remove(path);
    }
    write_kitti("train", {"a", "a"});
    for (const std::size_t stamp : {8, 16}) {
        write_file(in("caltech/set06/V000.seq"), test::seq(pictures, stamp));
        EXPECT_THAT(import(short_ones()).per_split, ElementsAre(1, 0, 1));
        const auto third = corners(1);
        for (std::size_t i = 0; i < 6; ++i) {
            EXPECT_NEAR(third[i], (std::array{60, 100, 50, 150, 100, 50})[i], 3) << i;
        }
    }
    auto o = short_ones();
    o.opencv_colors = true;
    import(o);
    EXPECT_NEAR(corners(1)[0], 50, 3);
    fs::remove(folder_ / "out.h5");

    const auto film = test::seq(pictures);
    write_file(in("caltech/set06/V000.seq"), film.substr(0, film.size() - 100));
    EXPECT_THAT(error(short_ones()), HasSubstr("V000.seq: cut off within picture 7"));
    write_file(in("caltech/set06/V000.seq"), test::seq({pictures[0] + std::string(50, 'x')}, 60));
    EXPECT_THAT(error(short_ones()), HasSubstr("V000.seq: damaged after picture 1"));
    write_file(in("caltech/set06/V000.seq"), test::seq({"no picture at all"}));
    EXPECT_THAT(error(short_ones()), HasSubstr("V000.seq: no JPEG follows the header"));
    write_file(in("caltech/set06/V000.seq"), "short");
    EXPECT_THAT(error(short_ones()), HasSubstr("V000.seq: not a Norpix .seq file"));
}

TEST_F(KittiLayout, MistakesAreNamed) {
    write_kitti("train", {"a", "a"});
    EXPECT_THAT(error(), HasSubstr("in: caltech is missing, expected kitti_hkl/X_train.hkl"));
    fs::create_directories(in("caltech"));
    EXPECT_THAT(error(short_ones()), HasSubstr("caltech/data_cache.npy is missing"));
    write_cache({5});
    EXPECT_THAT(error(short_ones()), HasSubstr("indices_cache.npy: a sequence begins at frame 5"));
    auto o = options();
    o.length = 12;
    EXPECT_THAT(error(o), HasSubstr("indices_cache.npy: is for sequences of 11 frames"));
    write_file(in("caltech/indices_cache.npy"), npy({2}, DType::f32, std::vector<float>{0, 1}));
    EXPECT_THAT(error(short_ones()), HasSubstr("indices_cache.npy: float32 [2], expected int32 [N]"));
    write_file(in("caltech/data_cache.npy"), npy({1, 2, 2, 3}, DType::u8, std::vector<std::uint8_t>(12)));
    EXPECT_THAT(error(short_ones()),
                HasSubstr("data_cache.npy: uint8 [1, 2, 2, 3], expected uint8 [F,128,160,3]"));
    Hdf5File(in("kitti_hkl/sources_train.hkl")).add("data", std::vector<std::string>{"a", "a", "a"});
    EXPECT_THAT(error(),
                AllOf(HasSubstr("sources_train.hkl: names the films of 3 frames"), HasSubstr("has 2")));
    Hdf5File(in("kitti_hkl/X_train.hkl")).add("frames", {1}, std::vector<float>{1});
    EXPECT_THAT(error(),
                HasSubstr("X_train.hkl: no dataset 'data' or 'data_0', expected a file of hickle 1 to 3"));
    write_file(in("kitti_hkl/X_train.hkl"), "no HDF5");
    EXPECT_THAT(error(), HasSubstr("X_train.hkl: not an HDF5 file"));
    fs::remove(in("kitti_hkl/X_train.hkl"));
    EXPECT_THAT(error(), HasSubstr("in: kitti_hkl/X_train.hkl is missing"));
}

// --- WeatherBench ---------------------------------------------------------------------------------------

class WeatherLayout : public LayoutTest {
  protected:
    WeatherLayout() : LayoutTest("weather") {}

    static constexpr int steps = 6;  // of a year

    /// The value of a step (counted from 2015) at place i of 2x3.
    static float value(int step, int i) { return static_cast<float>(280 + step % 7 + i * i); }

    /// A year's file: steps hours from the first of January.
    void write(const std::string& folder, const std::string& variable, int year, int levels = 1,
               const std::string& units = "hours since 1900-01-01", float spoil = 0) const {
        std::vector<float> values;
        std::vector<std::int64_t> time;
        for (int k = 0; k < steps; ++k) {
            const int days = 365 * (year - 1900) + (year - 1901) / 4;
            time.push_back(24LL * days + k);
            for (int level = 0; level < levels; ++level) {
                const auto lowered = static_cast<float>(1000 * (levels - 1 - level));
                for (int i = 0; i < 6; ++i) values.push_back(value(steps * (year - 2015) + k, i) - lowered);
            }
        }
        values.back() += spoil;
        Hdf5File file(in(fmt::format("{}/{}_{}_5.625deg.nc", folder, folder, year)));
        const Shape shape = levels == 1 ? Shape{steps, 2, 3} : Shape{steps, levels, 2, 3};
        file.add(variable, shape, values);
        file.add("time", {steps}, time, units);
    }
    void write_all(const std::string& folder, const std::string& variable, int levels = 1,
                   const std::string& units = "hours since 1900-01-01") const {
        for (int year = 2014; year <= 2019; ++year) write(folder, variable, year, levels, units);
    }
    LayoutOptions short_ones(const std::string& variable = "") const {
        auto o = options();
        o.length = 3;
        o.variable = variable;
        o.first_year = 2015;
        return o;
    }
    /// Mean and deviation of the training steps of 2015 without the last.
    static std::pair<double, double> training() {
        double sum = 0, squares = 0;
        for (int k = 0; k < steps - 1; ++k) {
            for (int i = 0; i < 6; ++i) sum += value(k, i);
        }
        const double mean = sum / (6 * (steps - 1));
        for (int k = 0; k < steps - 1; ++k) {
            for (int i = 0; i < 6; ++i) squares += std::pow(value(k, i) - mean, 2);
        }
        return {mean, std::sqrt(squares / (6 * (steps - 1)))};
    }
    /// Row n is the sequence of steps from `first`, in the variable's unit.
    void expect_row(std::int64_t n, int first, int channels = 1) const {
        const auto values = row(n);
        std::size_t at = 0;
        for (int t = 0; t < 3; ++t) {
            for (int c = 0; c < channels; ++c) {
                for (int i = 0; i < 6; ++i) {
                    EXPECT_FLOAT_EQ(values[at++], static_cast<float>(value(first + t, i))) << n << " " << t;
                }
            }
        }
    }
};

TEST_F(WeatherLayout, YearsSplitAndTrainingTellsMeanAndDeviation) {
    write_all("2m_temperature", "t2m");
    // 5 steps of a year are used and one sequence is left out; the test has two years, 11 steps.
    EXPECT_THAT(import(short_ones()).per_split, ElementsAre(2, 2, 8));
    const auto info = result()->info();
    EXPECT_EQ(info.shape, (SequenceShape{3, 1, 2, 3}));
    EXPECT_EQ(info.dtype, DType::f32);
    const auto [mean, deviation] = training();
    const auto normalization = stored_normalization(info, "a");
    EXPECT_THAT(normalization.mean, ElementsAre(::testing::DoubleNear(mean, 1e-9)));
    EXPECT_THAT(normalization.deviation, ElementsAre(::testing::DoubleNear(deviation, 1e-9)));
    expect_row(0, 0);
    expect_row(1, 1);
    expect_row(2, steps);
    expect_row(4, 2 * steps);
    expect_row(11, 2 * steps + 7);
    EXPECT_THAT(result()->rows(Split::validation), ElementsAre(2, 3));
}

TEST_F(WeatherLayout, ChannelsAndLevels) {
    write_all("10m_u_component_of_wind", "u10");
    write_all("10m_v_component_of_wind", "v10");
    write_all("relative_humidity", "r", 3);
    import(short_ones("uv10"));
    EXPECT_EQ(result()->info().shape.channels, 2);
    EXPECT_EQ(result()->info().attributes.at("std").size(), 2U);
    expect_row(3, steps + 1, 2);
    import(short_ones("r"));
    EXPECT_EQ(result()->info().shape.channels, 1);
    expect_row(5, 2 * steps + 1);
}

TEST_F(WeatherLayout, TrainsByItsNameInItsOwnSize) {
    write_all("2m_temperature", "t2m");
    import(short_ones());
    const auto options = DatasetOptions::from_json({{"name", "weather"},
                                                    {"input_frames", 2},
                                                    {"output_frames", 1},
                                                    {"path", (folder_ / "out.h5").string()}},
                                                   "test");
    EXPECT_EQ(dataset_shape(options), (SequenceShape{3, 1, 2, 3}));
    EXPECT_EQ(make_dataset(options, Split::test, 1)->size(), 8);
    EXPECT_EQ(make_dataset(options, Split::validation, 1)->size(), 2);
}

TEST_F(WeatherLayout, YearsByUnitsOrElseByTheFilesName) {
    EXPECT_EQ(year_of(0, "hours since 1900-01-01 00:00:0.0", "t"), 1900);
    EXPECT_EQ(year_of(1016832, "hours since 1900-01-01", "t"), 2016);
    EXPECT_EQ(year_of(1016831, "hours since 1900-01-01", "t"), 2015);
    EXPECT_EQ(year_of(366, "days since 2016-1-1", "t"), 2017);
    EXPECT_EQ(year_of(-1, "seconds since 1970-01-01", "t"), 1969);
    EXPECT_THAT(error_of([] { year_of(1, "fortnights since 1970-01-01", "t"); }),
                HasSubstr("t: 1 'fortnights"));
    EXPECT_THAT(error_of([] { year_of(1, "hours since 1970-13-01", "t"); }),
                HasSubstr("expected hours since"));
    write_all("2m_temperature", "t2m", 1, "");
    EXPECT_THAT(import(short_ones()).per_split, ElementsAre(2, 2, 8));
}

TEST_F(WeatherLayout, UnitsOfVariableLengthCountMoreThanTheFilesName) {
    write_all("2m_temperature", "t2m", 1, "");
    const auto file = [&](int year) {
        return in(fmt::format("2m_temperature/2m_temperature_{}_5.625deg.nc", year));
    };
    for (int year = 2014; year <= 2019; ++year) {
        Hdf5File(file(year), H5F_ACC_RDWR).attribute("time", "units", "hours since 1900-01-01");
        fs::rename(file(year), file(year - 1));
    }
    EXPECT_THAT(import(short_ones()).per_split, ElementsAre(2, 2, 8));
    expect_row(0, 0);
    fs::remove(folder_ / "out.h5");
    Hdf5File(file(2013), H5F_ACC_RDWR).attribute("time", "units", "hours since \xff");
    EXPECT_THAT(error(short_ones()),
                HasSubstr("dataset 'time': its attribute 'units' is not a UTF-8 string"));
}

TEST_F(WeatherLayout, PackedValuesAreUnpacked) {
    write_all("2m_temperature", "t2m");
    for (int year = 2014; year <= 2019; ++year) {
        Hdf5File file(in(fmt::format("2m_temperature/2m_temperature_{}_5.625deg.nc", year)), H5F_ACC_RDWR);
        file.attribute("t2m", "scale_factor", 2.0);
        file.attribute("t2m", "add_offset", -100.0);
    }
    import(short_ones());
    EXPECT_FLOAT_EQ(row(0)[1], 2 * value(0, 1) - 100);
    fs::remove(folder_ / "out.h5");
    Hdf5File(in("2m_temperature/2m_temperature_2017_5.625deg.nc"), H5F_ACC_RDWR)
        .attribute("t2m", "_FillValue", value(2 * steps, 0));
    EXPECT_THAT(error(short_ones()), HasSubstr("t2m: step 0 of the test has missing values"));
}

TEST_F(WeatherLayout, MistakesAreNamed) {
    fs::create_directories(in("."));
    EXPECT_THAT(error(),
                HasSubstr("2m_temperature/2m_temperature*.nc is missing, expected a folder for each"));
    EXPECT_THAT(error(short_ones("t3m")), HasSubstr("unknown --variable 't3m' (did you mean 't2m'?)"));
    write("2m_temperature", "t2m", 2015);
    EXPECT_THAT(error(short_ones()), HasSubstr("0 hours of 2017 to 2018 for the test, expected more than 3"));
    write_all("2m_temperature", "t2m");
    write("2m_temperature", "t2m", 2017, 1, "hours since 1900-01-01", std::nanf(""));
    EXPECT_THAT(error(short_ones()), HasSubstr("t2m: step 5 of the test has missing values"));
    write("2m_temperature", "t2m", 2017, 1, "parsecs");
    EXPECT_THAT(error(short_ones()),
                AllOf(HasSubstr("2017_5.625deg.nc: dataset 'time'"), HasSubstr("'parsecs'")));
    write("2m_temperature", "tas", 2017);
    EXPECT_THAT(error(short_ones()), HasSubstr("2017_5.625deg.nc: no dataset 't2m'"));
    Hdf5File(in("2m_temperature/2m_temperature_2017_5.625deg.nc")).add("t2m", {6}, std::vector<float>(6));
    EXPECT_THAT(error(short_ones()), HasSubstr("shape [6], expected [time,lat,lon]"));
}

}  // namespace
}  // namespace stl
