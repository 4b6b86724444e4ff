// Data sets: their options, their splits, and that a sequence depends on its number alone.
#include "stl/data/dataset.h"

#include <numeric>
#include <set>
#include <thread>

#include "stl/data/registry.h"
#include "stl/data/sets/stored.h"
#include "tests/support/environment.h"
#include "tests/support/external_link.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::HasSubstr;

DatasetOptions options(const std::string& json) {
    return DatasetOptions::from_json(parse_json(json, "a.json"), "a.json: dataset");
}

std::vector<float> fetch(const Dataset& data, std::int64_t epoch, std::int64_t index) {
    std::vector<float> out(static_cast<std::size_t>(data.shape().elements()), -1);
    data.fetch(epoch, index, out);
    return out;
}

/// count sequences of 6 frames of 1x2x3; every value says its sequence and frame.
std::string stored_file(const fs::path& path, std::int64_t count, std::vector<Split> splits = {}) {
    const SequenceShape shape{6, 1, 2, 3};
    const auto writer = create_sequences(path.string(), count, shape, {.dtype = DType::f32, .force = true});
    for (std::int64_t n = 0; n < count; ++n) {
        std::vector<float> values;
        for (int t = 0; t < 6; ++t) values.insert(values.end(), 6, static_cast<float>(10 * n + t));
        writer->append(values);
    }
    if (!splits.empty()) writer->set_splits(splits);
    writer->finish();
    return path.string();
}

TEST(DatasetOptions, DefaultsAreResolvedAndComeBack) {
    const auto resolved = options(R"({"name": "mmnist"})").to_json();
    EXPECT_EQ(resolved,
              Json::parse(R"({"name": "mmnist", "input_frames": 10, "output_frames": 10, "digits": 2,
                                        "canvas": 64, "step": 0.1, "glyphs": "", "test_path": "", "noise": 0.0})"));
    const auto stated =
        options(R"({"name": "file", "path": "x.h5", "input_frames": 4, "train_sequences": 7})").to_json();
    EXPECT_EQ(DatasetOptions::from_json(stated, "x").to_json(), stated);
    EXPECT_EQ(stated.at("train_sequences"), 7);
    EXPECT_EQ(stated.at("path"), "x.h5");
}

TEST(DatasetOptions, MistakesAreNamed) {
    const auto message = [](const std::string& json) { return error_of([&] { options(json); }); };
    EXPECT_THAT(message(R"({"name": "mnist"})"),
                HasSubstr("a.json: dataset.name: unknown data set 'mnist' (did you mean 'mmnist'?)"));
    EXPECT_THAT(message(R"({"input_frames": 3})"), HasSubstr("a.json: dataset.name: missing"));
    EXPECT_THAT(message(R"({"name": "mmnist", "digit": 3})"),
                HasSubstr("digit: unknown key (did you mean 'digits'?)"));
    EXPECT_THAT(message(R"({"name": "mmnist", "digits": "two"})"), HasSubstr("a.json: dataset.digits"));
    EXPECT_THAT(message(R"({"name": "mmnist", "path": "x.h5"})"), HasSubstr("path: unknown key"));
    EXPECT_THAT(message(R"({"name": "file"})"), HasSubstr("path: missing, expected a string"));
    EXPECT_THAT(message(R"({"name": "mmnist", "input_frames": 0})"),
                HasSubstr("input_frames: 0 is out of range, expected 1 to"));
    EXPECT_THAT(message(R"({"name": "mmnist", "train_sequences": 0})"),
                HasSubstr("train_sequences: 0 is too small, expected at least 1"));
}

TEST(Registry, EveryMemberHasAFrameAndItsOwnKeys) {
    for (const auto& info : datasets()) {
        const auto json = info.name == "file" ? fmt::format(R"({{"name": "file", "path": "{}"}})",
                                                            test::reference("sequences/ntchw_u8.npy"))
                                              : fmt::format(R"({{"name": "{}"}})", info.name);
        const auto resolved = options(json);
        EXPECT_FALSE(info.help.empty()) << info.name;
        EXPECT_EQ(DatasetOptions::from_json(resolved.to_json(), "again").to_json(), resolved.to_json())
            << info.name;
        const auto shape = dataset_shape(resolved);
        EXPECT_EQ(shape.frames, 20) << info.name;
        EXPECT_GT(shape.elements(), 0) << info.name;
    }
    EXPECT_EQ(dataset_shape(options(R"({"name": "kth", "output_frames": 20})")),
              (SequenceShape{30, 1, 128, 128}));
    EXPECT_EQ(dataset_shape(options(R"({"name": "mmnist", "canvas": 96})")), (SequenceShape{20, 1, 96, 96}));
}

/// What holds for every split of every data set whose data is there.
void expect_contract(const Dataset& data) {
    ASSERT_GE(data.size(), 2);
    EXPECT_FALSE(data.describe().empty());
    const auto last = data.size() - 1;
    const auto first_epoch = fetch(data, 0, last);
    EXPECT_NE(fetch(data, 0, 0), first_epoch) << data.describe();
    EXPECT_EQ(std::ranges::count(first_epoch, -1.0F), 0) << "every value is written";
    std::atomic<int> equal = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { equal += fetch(data, 0, last) == first_epoch; });
    threads.clear();
    EXPECT_EQ(equal, 4) << data.describe();
}

TEST(Dataset, SequencesDependOnTheirNumberAlone) {
    const test::TemporaryFolder folder;
    const auto file = stored_file(folder / "a.h5", 9,
                                  {Split::train, Split::train, Split::train, Split::validation,
                                   Split::validation, Split::test, Split::test, Split::train, Split::test});
    const std::vector<std::string> sets{
        R"({"name": "mmnist", "train_sequences": 20, "val_sequences": 5, "test_sequences": 4})",
        R"({"name": "mfmnist", "input_frames": 3, "output_frames": 2, "canvas": 32, "digits": 1, "noise": 0.1})",
        fmt::format(R"({{"name": "file", "path": "{}", "input_frames": 2, "output_frames": 4}})", file)};
    for (const auto& json : sets) {
        for (const auto split : {Split::train, Split::validation, Split::test}) {
            const auto data = make_dataset(options(json), split, 1);
            ASSERT_TRUE(data) << json;
            expect_contract(*data);
        }
    }
}

TEST(MovingDataset, TrainingIsNewEveryEpochAndEverySeed) {
    const auto json =
        options(R"({"name": "mmnist", "train_sequences": 50, "input_frames": 2, "output_frames": 2})");
    const auto data = make_dataset(json, Split::train, 1);
    EXPECT_EQ(data->size(), 50);
    EXPECT_TRUE(data->generated());
    std::set<std::vector<float>> seen;
    for (std::int64_t epoch = 0; epoch < 3; ++epoch)
        for (std::int64_t i = 0; i < 50; ++i) seen.insert(fetch(*data, epoch, i));
    for (std::int64_t i = 0; i < 50; ++i) seen.insert(fetch(*make_dataset(json, Split::train, 2), 0, i));
    EXPECT_EQ(seen.size(), 200U);
}

TEST(MovingDataset, ValidationAndTestDependOnNothing) {
    const auto json = options(R"({"name": "mmnist", "val_sequences": 5, "test_sequences": 4})");
    for (const auto split : {Split::validation, Split::test}) {
        const auto one = make_dataset(json, split, 1);
        const auto two = make_dataset(json, split, 2);
        EXPECT_EQ(fetch(*one, 0, 3), fetch(*two, 7, 3)) << split_name(split);
    }
    EXPECT_NE(fetch(*make_dataset(json, Split::validation, 1), 0, 0),
              fetch(*make_dataset(json, Split::test, 1), 0, 0));
    EXPECT_EQ(make_dataset(options(R"({"name": "mmnist"})"), Split::validation, 1)->size(), 1000);
    EXPECT_EQ(make_dataset(options(R"({"name": "mmnist"})"), Split::train, 1)->size(), 10000);
}

TEST(MovingDataset, TestIsThePublishedSet) {
    const auto data = make_dataset(options(R"({"name": "mfmnist"})"), Split::test, 3);
    EXPECT_EQ(data->size(), 10000);
    EXPECT_THAT(data->describe(), HasSubstr("OpenSTL's protocol, seed 0"));
    const auto reader =
        open_sequences(test::reference("moving_glyphs/first_sequences.h5:fmnist_seed0"), {.layout = "TNHW"});
    std::vector<float> row(static_cast<std::size_t>(reader->info().shape.elements()));
    for (std::int64_t i = 0; i < 4; ++i) {
        reader->read(i, 1, row);
        EXPECT_EQ(fetch(*data, 0, i), row) << i;
    }
}

TEST(MovingDataset, StoredTestSetsAreTaken) {
    const test::TemporaryFolder folder;
    const SequenceShape shape{20, 1, 64, 64};
    const auto make_file = [&](const fs::path& path) {
        const std::vector<std::uint8_t> values(static_cast<std::size_t>(2 * shape.elements()), 51);
        fs::create_directories(path.parent_path());
        const auto writer = create_sequences(path.string(), 2, shape, {.layout = "TNHW"});
        writer->append(values);
        writer->finish();
    };
    make_file(folder / "mine.npy");
    const auto stated =
        fmt::format(R"({{"name": "mmnist", "test_path": "{}"}})", (folder / "mine.npy").string());
    const auto data = make_dataset(options(stated), Split::test, 1);
    EXPECT_EQ(data->size(), 2);
    EXPECT_THAT(data->describe(), HasSubstr("mine.npy"));
    EXPECT_EQ(fetch(*data, 0, 1), std::vector<float>(81920, 0.2F));

    // The published file, where people put it.
    make_file(folder / "mmnist/mnist_test_seq.npy");
    const EnvironmentVariable there("STL_DATA", folder.path().string());
    const auto published = make_dataset(options(R"({"name": "mmnist"})"), Split::test, 1);
    const auto other =
        make_dataset(options(R"({"name": "mmnist", "digits": 3, "test_sequences": 3})"), Split::test, 1);
    EXPECT_THAT(published->describe(), HasSubstr("mnist_test_seq.npy"));
    EXPECT_THAT(published->files(), testing::ElementsAre(folder / "mmnist/mnist_test_seq.npy"));
    EXPECT_EQ(other->size(), 3) << "the file has two digits";
    ASSERT_EQ(other->files().size(), 1U);
    EXPECT_EQ(other->files()[0].filename(), "train-images-idx3-ubyte.gz");

    const auto wrong = fmt::format(R"({{"name": "mmnist", "canvas": 96, "test_path": "{}"}})",
                                   (folder / "mine.npy").string());
    EXPECT_THAT(error_of([&] { make_dataset(options(wrong), Split::test, 1); }),
                HasSubstr("20 frames of 1x64x64, expected 20 frames of 1x96x96"));
}

TEST(FileDataset, ItsFileAndFrameRateAreThoseOfTheSplit) {
    const test::TemporaryFolder folder;
    for (const auto& [name, fps] : {std::pair("a.h5", 5.0), std::pair("b.h5", 7.0)}) {
        const auto writer =
            create_sequences((folder / name).string() + ":frames", 1, {2, 1, 2, 3}, {.fps = fps});
        writer->append(std::vector<std::uint8_t>(12));
        writer->finish();
    }
    const auto both =
        options(fmt::format(R"({{"name": "file", "path": "{0}/a.h5", "test_path": "{0}/b.h5:frames",
        "input_frames": 1, "output_frames": 1, "augment": {{"flip": "horizontal"}}}})",
                            folder.path().string()));
    const auto train = make_dataset(both, Split::train, 1), tested = make_dataset(both, Split::test, 1);
    EXPECT_EQ(train->fps(), 5);
    EXPECT_EQ(tested->fps(), 7);
    EXPECT_THAT(train->files(), testing::ElementsAre(folder / "a.h5"));
    EXPECT_THAT(tested->files(), testing::ElementsAre(folder / "b.h5"));
}

TEST(FileDataset, FirstFramesOfLongerSequencesAreTaken) {
    const test::TemporaryFolder folder;
    const auto file = stored_file(folder / "a.h5", 3);
    const auto data =
        make_dataset(options(fmt::format(
                         R"({{"name": "file", "path": "{}", "input_frames": 1, "output_frames": 2}})", file)),
                     Split::test, 1);
    EXPECT_EQ(data->shape(), (SequenceShape{3, 1, 2, 3}));
    EXPECT_EQ(fetch(*data, 0, 2),
              (std::vector<float>{20, 20, 20, 20, 20, 20, 21, 21, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22}));
    EXPECT_FALSE(data->generated());
}

TEST(FileDataset, SplitsAreTheFilesMarks) {
    const test::TemporaryFolder folder;
    const auto frames = R"("input_frames": 1, "output_frames": 1)";
    const auto unmarked = stored_file(folder / "a.h5", 4);
    const auto plain = options(fmt::format(R"({{"name": "file", "path": "{}", {}}})", unmarked, frames));
    EXPECT_EQ(make_dataset(plain, Split::train, 1)->size(), 4);
    EXPECT_EQ(make_dataset(plain, Split::test, 1)->size(), 4);
    EXPECT_EQ(make_dataset(plain, Split::validation, 1), nullptr);

    const auto marked = stored_file(
        folder / "b.h5", 5, {Split::test, Split::train, Split::validation, Split::train, Split::train});
    const auto some =
        options(fmt::format(R"({{"name": "file", "path": "{}", "train_sequences": 2, {}}})", marked, frames));
    const auto train = make_dataset(some, Split::train, 1);
    EXPECT_EQ(train->size(), 2);
    EXPECT_EQ(fetch(*train, 0, 1).front(), 30);
    EXPECT_EQ(fetch(*make_dataset(some, Split::validation, 1), 0, 0).front(), 20);
    EXPECT_EQ(fetch(*make_dataset(some, Split::test, 1), 0, 0).front(), 0);

    const auto apart =
        options(fmt::format(R"({{"name": "file", "path": "{}", "val_path": "{}", "test_path": "{}", {}}})",
                            unmarked, marked, unmarked, frames));
    EXPECT_EQ(fetch(*make_dataset(apart, Split::validation, 1), 0, 0).front(), 20);
    const auto whole =
        options(fmt::format(R"({{"name": "file", "path": "{}", "val_path": "{}", "val_sequences": 3, {}}})",
                            marked, unmarked, frames));
    EXPECT_EQ(make_dataset(whole, Split::validation, 1)->size(), 3);
}

TEST(FileDataset, FilesElsewhereAreReadIfTheExperimentSaysSo) {
    const test::TemporaryFolder folder;
    stored_file(folder / "far.h5", 2);
    const auto file = test::write_external_link(folder / "d/link.h5", "../far.h5");
    const auto made = [&](const std::string& more) {
        const auto json = fmt::format(
            R"({{"name": "file", "path": "{}", "input_frames": 1, "output_frames": 1{}}})", file, more);
        return make_dataset(options(json), Split::train, 1);
    };
    EXPECT_THAT(error_of([&] { made(""); }), HasSubstr("link.h5: refers to "));
    EXPECT_THAT(error_of([&] { made(R"(, "allow_external": false)"); }), HasSubstr("link.h5: refers to "));
    EXPECT_EQ(made(R"(, "allow_external": true)")->size(), 2);
    // A file of its own for validation too.
    EXPECT_EQ(make_dataset(options(fmt::format(R"({{"name": "file", "path": "{}", "val_path": "{}",
        "allow_external": true, "input_frames": 1, "output_frames": 1}})",
                                               (folder / "far.h5").string(), file)),
                           Split::validation, 1)
                  ->size(),
              2);
}

TEST(FileDataset, WhatItsFileWarnsOfIsPassedOn) {
    const test::TemporaryFolder folder;
    const auto path = (folder / "a.npy").string();
    const auto writer = create_sequences(path, 5, {6, 1, 2, 2}, {});
    writer->append(std::vector<std::uint8_t>(5 * 6 * 4));
    writer->finish();
    const auto made = [&](const std::string& more) {
        return make_dataset(
            options(fmt::format(
                R"({{"name": "file", "path": "{}", "input_frames": 1, "output_frames": 1{}}})", path, more)),
            Split::train, 1);
    };
    EXPECT_TRUE(made("")->warnings().empty());
    auto text = read_text(path);
    const auto shape = text.find("(5, 6, 1, 2, 2)");
    ASSERT_NE(shape, std::string::npos);
    text.replace(shape, 15, "(5, 6, 2, 2)   ");
    write_text(path, text);
    EXPECT_THAT(made("")->warnings(), testing::ElementsAre(HasSubstr("are a guess")));
    EXPECT_TRUE(made(R"(, "layout": "NTHW")")->warnings().empty());
}

TEST(FileDataset, FewBitsOfSixteenAreReported) {
    const test::TemporaryFolder folder;
    const auto path = (folder / "a.npy").string();
    const auto warnings = [&](std::uint16_t largest, Split split) {
        std::string text("\x93NUMPY\x01\x00\x76\x00", 10);
        text += "{'descr': '<u2', 'fortran_order': False, 'shape': (20, 2, 1, 2, 2)}";
        text.resize(127, ' ');
        text += '\n';
        std::vector<std::uint16_t> values(20 * 8, 7);
        values.back() = largest;
        text.append(reinterpret_cast<const char*>(values.data()), 2 * values.size());
        write_text(path, text);
        return make_dataset(
                   options(fmt::format(
                       R"({{"name": "file", "path": "{}", "input_frames": 1, "output_frames": 1}})", path)),
                   split, 1)
            ->warnings();
    };
    EXPECT_THAT(warnings(7, Split::train), testing::ElementsAre(testing::AllOf(
                                               testing::StartsWith(path), HasSubstr("a camera of 3 bits"))));
    EXPECT_THAT(warnings(7, Split::test), testing::IsEmpty()) << "once is enough";
}

TEST(FileDataset, WhatCannotServeIsRefused) {
    const test::TemporaryFolder folder;
    const auto message = [&](const std::string& json, Split split) {
        return error_of([&] { make_dataset(options(json), split, 1); });
    };
    const auto file = stored_file(folder / "a.h5", 2, {Split::train, Split::train});
    EXPECT_THAT(
        message(fmt::format(R"({{"name": "file", "path": "{}"}})", file), Split::train),
        HasSubstr(
            "a.h5: sequences of 6 frames, expected at least 20 (input_frames 10 and output_frames 10)"));
    EXPECT_THAT(
        message(
            fmt::format(R"({{"name": "file", "path": "{}", "input_frames": 1, "output_frames": 1}})", file),
            Split::test),
        HasSubstr("no sequence is marked for test"));
    EXPECT_THAT(message(R"({"name": "file", "path": "/nowhere.h5"})", Split::train),
                HasSubstr("/nowhere.h5: no such file"));
    EXPECT_THAT(message(R"({"name": "kth"})", Split::test), HasSubstr("datasets/kth/README.md"));
    EXPECT_THAT(
        message(
            fmt::format(
                R"({{"name": "file", "path": "{}", "val_path": "{}", "input_frames": 1, "output_frames": 1}})",
                file, test::reference("sequences/ntchw_u8.npy")),
            Split::validation),
        HasSubstr("2 frames of 2x5x6, those of " + file + " are 2 frames of 1x2x3"));
}

}  // namespace
}  // namespace stl
