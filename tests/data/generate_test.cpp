// Moving-glyph files: what is in them, and that nothing is left of those that failed.
#include "stl/data/generate.h"
#include "stl/core/digest.h"

#include "stl/data/sets/moving.h"
#include "stl/formats/npy_file.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::HasSubstr;
using testing::IsEmpty;

Json make(const GenerateOptions& options, const fs::path& output, const StopRequested& stop = {}) {
    Reporter silent;
    return generate(options, output.string(), silent, stop);
}

/// The pixels of published sequences, [n,20,1,64,64] in [0,1].
std::vector<float> published(const std::string& name) {
    const auto file = test::reference("moving_glyphs/first_sequences.h5:" + name);
    return test::read_all(*open_sequences(file, {.layout = "TNHW"}));
}

TEST(Generate, WritesThePublishedSequencesInEveryKindOfFile) {
    const test::TemporaryFolder folder;
    for (const auto dtype : {DType::u8, DType::f32}) {
        for (const auto* name : {"a.h5", "a.npy"}) {
            GenerateOptions options{.dataset = "mfmnist",
                                    .split = Split::test,
                                    .protocol = Protocol::openstl,
                                    .seed = 1,
                                    .sequences = 4,
                                    .dtype = dtype,
                                    .force = true};
            options.moving.frames = 20;
            make(options, folder / name);
            const auto reader = open_sequences((folder / name).string());
            EXPECT_EQ(reader->info().dtype, dtype) << name;
            EXPECT_EQ(test::read_all(*reader), published("fmnist_seed1")) << name << " " << dtype_name(dtype);
        }
    }
    const auto npy = read_text(folder / "a.npy");
    EXPECT_TRUE(npy.starts_with(npy_header({20, 4, 64, 64}, DType::f32)));
}

TEST(Generate, TrainAndValidationFilesHoldWhatTrainingSees) {
    const test::TemporaryFolder folder;
    const auto experiment = DatasetOptions::from_json(
        Json::parse(
            R"({"name": "mmnist", "input_frames": 2, "output_frames": 3, "digits": 3, "canvas": 40, "noise": 0.1})"),
        "test");
    for (const auto split : {Split::train, Split::validation}) {
        const std::uint64_t seed = split == Split::train ? 7 : 0;
        GenerateOptions options{.split = split, .seed = seed, .sequences = 3, .threads = 2, .force = true};
        options.moving = {.frames = 5, .canvas = 40, .digits = 3, .noise = 0.1};
        make(options, folder / "a.h5");
        const auto reader = open_sequences((folder / "a.h5").string());
        const auto dataset = make_dataset(experiment, split, 7);
        std::vector<float> stored(static_cast<std::size_t>(reader->info().shape.elements()));
        auto fetched = stored;
        for (std::int64_t i = 0; i < 3; ++i) {
            reader->read(i, 1, stored);
            dataset->fetch(0, i, fetched);
            EXPECT_EQ(stored, fetched) << split_name(split) << " " << i;
        }
    }
}

TEST(Generate, KeepsItsSettingsInTheFile) {
    const test::TemporaryFolder folder;
    const GenerateOptions options{
        .seed = 5, .sequences = 2, .moving = {.frames = 3, .canvas = 30, .digits = 1, .step = 0.2}};
    const auto settings = make(options, folder / "a.h5");
    const auto info = open_sequences((folder / "a.h5").string())->info();
    EXPECT_EQ(info.fps, 10);
    EXPECT_EQ(info.attributes.at("source"), "Moving MNIST");
    EXPECT_EQ(info.attributes.at("seed"), 5);
    EXPECT_EQ(info.attributes.at("step"), 0.2);
    EXPECT_EQ(info.attributes.at("split"), "train");
    EXPECT_EQ(info.attributes.at("protocol"), "stream");
    EXPECT_EQ(info.attributes.at("glyphs_sha256"), sha256_file(glyph_path("mmnist", "")));
    for (const auto& [key, value] : settings.items()) EXPECT_EQ(info.attributes.at(key), value) << key;
}

TEST(Generate, LeavesNothingWhenStoppedOrImpossible) {
    const test::TemporaryFolder folder;
    const GenerateOptions options{.sequences = 2000};
    int asked = 0;
    EXPECT_THROW(make(options, folder / "a.h5", [&] { return ++asked > 2; }), Interrupted);
    EXPECT_EQ(asked, 3);
    EXPECT_THAT(folder.files(), IsEmpty());

    EXPECT_THAT(error_of([&] { make({.moving = {.canvas = 20}}, folder / "a.h5"); }),
                HasSubstr("a canvas of 20 pixels"));
    EXPECT_THAT(
        error_of([&] { make({.sources = {.glyphs = "/nowhere", .backgrounds = ""}}, folder / "a.h5"); }),
        HasSubstr("/nowhere: no such file"));
    EXPECT_THAT(error_of([&] { make({}, folder / "a.mp4"); }), HasSubstr(".h5, .hdf5 or .npy"));
    {
        const test::FullDisk full(100'000);
        EXPECT_THAT(error_of([&] { make({.sequences = 100}, folder / "a.h5"); }),
                    HasSubstr("cannot be written"));
        EXPECT_THAT(error_of([&] { make({.sequences = 100}, folder / "a.npy"); }),
                    HasSubstr("cannot be written"));
    }
    EXPECT_THAT(folder.files(), IsEmpty());
    test::write_bytes(folder / "a.h5", "precious");
    EXPECT_THAT(error_of([&] { make({.sequences = 1}, folder / "a.h5"); }), HasSubstr("exists already"));
    EXPECT_EQ(read_text(folder / "a.h5"), "precious");
}

}  // namespace
}  // namespace stl
