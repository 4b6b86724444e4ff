// Writing of sequence files: what was written is read back, and nothing is left of what failed.
#include <fcntl.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <numeric>
#include <thread>

#include "stl/core/names.h"
#include "stl/formats/npy_file.h"
#include "stl/formats/sequence_formats.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using test::read_all;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr SequenceShape sequence_shape{3, 2, 5, 4};
constexpr std::int64_t sequence_count = 7;

std::vector<std::uint8_t> bytes(std::int64_t count = sequence_count) {
    std::vector<std::uint8_t> values(static_cast<std::size_t>(count * sequence_shape.elements()));
    std::iota(values.begin(), values.end(), 3);
    return values;
}

std::vector<float> floats() {
    std::vector<float> values(static_cast<std::size_t>(sequence_count * sequence_shape.elements()));
    std::iota(values.begin(), values.end(), -1.5F);
    return values;
}

template <class T>
void write_in_pieces(SequenceWriter& writer, std::span<const T> values) {
    const auto one = static_cast<std::size_t>(sequence_shape.elements());
    writer.append(values.first(2 * one));
    writer.append(values.subspan(2 * one, one));
    writer.append(values.subspan(3 * one));
}

class Writers : public testing::TestWithParam<std::string> {
  protected:
    std::string file() const { return (folder_ / GetParam()).string(); }
    std::unique_ptr<SequenceWriter> create(WriteOptions options = {}) const {
        return create_sequences(file(), sequence_count, sequence_shape, options);
    }
    test::TemporaryFolder folder_;
};

TEST_P(Writers, BytesComeBackDividedBy255) {
    const auto values = bytes();
    const auto writer = create();
    write_in_pieces<std::uint8_t>(*writer, values);
    writer->finish();
    const auto reader = open_sequences(file());
    EXPECT_EQ(reader->info().count, sequence_count);
    EXPECT_EQ(reader->info().shape, sequence_shape);
    std::vector<float> expected;
    for (const auto v : values) expected.push_back(static_cast<float>(v) / 255.0F);
    EXPECT_EQ(read_all(*reader), expected);
}

TEST_P(Writers, NeedsNoLocks) {
    const auto writer = create();
    write_in_pieces<std::uint8_t>(*writer, bytes());
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
        const int open = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
        EXPECT_EQ(::flock(open, LOCK_EX | LOCK_NB), 0) << entry.path() << " is locked by the writer";
        ::close(open);
    }
    writer->finish();
    EXPECT_EQ(open_sequences(file())->info().count, sequence_count);
}

TEST_P(Writers, ReadingThemTooFewOpenFilesAreAShortage) {
    const auto writer = create();
    write_in_pieces<std::uint8_t>(*writer, bytes());
    writer->finish();
    const test::NoMoreFiles none;
    EXPECT_THROW(open_sequences(file()), Shortage);
}

TEST_P(Writers, DoesNotReplaceWhatAnotherProgramMadeMeanwhile) {
    const auto writer = create();
    write_in_pieces<std::uint8_t>(*writer, bytes());
    test::write_bytes(file(), "theirs");
    EXPECT_THAT(error_of([&] { writer->finish(); }), HasSubstr("exists already (--force replaces it)"));
    EXPECT_EQ(read_text(file()), "theirs");
}

TEST_P(Writers, TheSameDataGiveTheSameBytes) {
    std::vector<std::string> files;
    for (int i = 0; i < 2; ++i) {
        if (i > 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 would note the second
        const auto writer = create({.force = true});
        write_in_pieces<std::uint8_t>(*writer, bytes());
        writer->finish();
        files.push_back(read_text(file()));
    }
    EXPECT_TRUE(files[0] == files[1]);
}

TEST_P(Writers, FloatsComeBackAsTheyAre) {
    const auto values = floats();
    const auto writer = create({.dtype = DType::f32});
    write_in_pieces<float>(*writer, values);
    writer->finish();
    EXPECT_EQ(open_sequences(file())->info().dtype, DType::f32);
    EXPECT_EQ(read_all(*open_sequences(file())), values);
}

TEST_P(Writers, NothingIsThereBeforeTheEnd) {
    {
        const auto writer = create();
        writer->append(std::span<const std::uint8_t>(bytes(2)));
        EXPECT_FALSE(fs::exists(file()));
        EXPECT_THAT(error_of([&] { writer->finish(); }), HasSubstr("2 of 7 sequences were written"));
    }
    EXPECT_THAT(folder_.files(), IsEmpty());
}

TEST_P(Writers, ExistingFilesAreKeptWithoutForce) {
    test::write_bytes(file(), "precious");
    EXPECT_THAT(error_of([&] { create(); }), HasSubstr("exists already"));
    EXPECT_EQ(read_text(file()), "precious");
    {
        const auto writer = create({.force = true});
        EXPECT_EQ(read_text(file()), "precious");
    }
    EXPECT_EQ(read_text(file()), "precious");
    const auto writer = create({.force = true});
    writer->append(std::span<const std::uint8_t>(bytes()));
    writer->finish();
    EXPECT_EQ(open_sequences(file())->info().count, sequence_count);
}

TEST_P(Writers, FullDiskLeavesNothing) {
    {
        const test::FullDisk full(4096);
        const std::int64_t many = 100;
        const auto message = error_of([&] {
            const auto writer = create_sequences(file(), many, sequence_shape, {});
            writer->append(std::span<const std::uint8_t>(bytes(many)));
            writer->finish();
        });
        EXPECT_THAT(message, HasSubstr(GetParam() + ": cannot be written"));
    }
    EXPECT_THAT(folder_.files(), IsEmpty());
}

TEST_P(Writers, DiskThatIsTooSmallIsRefusedAtOnce) {
    const auto message = error_of([&] { create_sequences(file(), 1LL << 45, sequence_shape, {}); });
    EXPECT_THAT(message, HasSubstr("on disk"));
    EXPECT_THAT(folder_.files(), IsEmpty());
}

TEST_P(Writers, WrongAmountsAndTypesAreRefused) {
    const auto writer = create();
    EXPECT_THAT(error_of([&] { writer->append(std::span<const float>(floats())); }),
                HasSubstr("expected uint8"));
    EXPECT_THAT(error_of([&] { writer->append(std::span<const std::uint8_t>(bytes(8))); }),
                HasSubstr("0 of 7"));
    EXPECT_THAT(error_of([&] { writer->append(std::vector<std::uint8_t>(7)); }), HasSubstr("7 uint8 values"));
    EXPECT_THAT(error_of([&] { create_sequences(file(), 0, sequence_shape, {}); }),
                HasSubstr("nothing to write"));
    EXPECT_THAT(error_of([&] { create_sequences(file(), 1, sequence_shape, {.dtype = DType::f64}); }),
                HasSubstr("float64"));
}

/// A file of every format that is written.
std::vector<std::string> written_files() {
    auto names = sequence_extensions(&SequenceFormat::writes);
    for (auto& name : names) name = "a" + name;
    return names;
}

INSTANTIATE_TEST_SUITE_P(Formats, Writers, testing::ValuesIn(written_files()));

TEST(Writer, OtherKindsOfFilesAreRefused) {
    std::vector<std::string> written;
    for (const auto& format : sequence_formats()) {
        if (format.writes())
            written.insert(written.end(), format.extensions.begin(), format.extensions.end());
    }
    for (const auto* name : {"a.npz", "a.mp4", "a"}) {
        EXPECT_THAT(error_of([&] { create_sequences(name, 1, sequence_shape, {}); }),
                    HasSubstr("ends in " + listed(written, "or")));
    }
}

TEST(Writer, ArraysInNpyFilesHaveNoNames) {
    const test::TemporaryFolder folder;
    test::write_bytes(folder / "a.npy", "precious");
    const auto file = (folder / "a.npy:x").string();
    EXPECT_THAT(error_of([&] { create_sequences(file, 1, sequence_shape, {.force = true}); }),
                HasSubstr("holds one array"));
    EXPECT_EQ(read_text(folder / "a.npy"), "precious");
}

TEST(Writer, UnwritableFoldersAreRefused) {
    EXPECT_THAT(error_of([&] { create_sequences("/proc/nothing/a.h5", 1, sequence_shape, {}); }),
                HasSubstr("/proc/nothing"));
}

TEST(Hdf5Writer, KeepsAttributesNameAndChunks) {
    const test::TemporaryFolder folder;
    const auto file = (folder / "a.h5").string();
    const auto attributes =
        Json::parse(R"({"source": "Moving MNIST", "seed": 5, "step": 0.25, "digits": [2, 3], "note": ""})");
    const auto writer = create_sequences(file + ":group/made", sequence_count, sequence_shape,
                                         {.fps = 10, .attributes = attributes, .compression = 4});
    writer->append(std::span<const std::uint8_t>(bytes()));
    writer->finish();
    const auto reader = open_sequences(file + ":group/made");
    EXPECT_EQ(reader->info().fps, 10);
    for (const auto& [key, value] : attributes.items())
        EXPECT_EQ(reader->info().attributes.at(key), value) << key;
    EXPECT_EQ(open_sequences(file)->info().count, sequence_count);  // the only one there is
}

TEST(Hdf5Writer, MeanAndDeviationAreNumbers) {
    const test::TemporaryFolder folder;
    const auto write = [&](const std::string& name, const Json& mean, const Json& deviation) {
        const WriteOptions options{.attributes = {{"mean", mean}, {"std", deviation}}};
        const auto writer =
            create_sequences((folder / name).string(), sequence_count, sequence_shape, options);
        writer->append(std::span<const std::uint8_t>(bytes()));
        writer->finish();
    };
    // As any program of HDF5 reads them.
    const auto stored = [&](const std::string& name, const char* key) {
        std::vector<double> values(2);
        const auto file = H5Fopen((folder / name).c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
        const auto attribute = H5Aopen_by_name(file, "sequences", key, H5P_DEFAULT, H5P_DEFAULT);
        const auto space = H5Aget_space(attribute);
        values.resize(static_cast<std::size_t>(std::max<hssize_t>(H5Sget_simple_extent_npoints(space), 0)));
        if (!values.empty()) H5Aread(attribute, H5T_NATIVE_DOUBLE, values.data());
        H5Sclose(space);
        H5Aclose(attribute);
        H5Fclose(file);
        return values;
    };
    write("two.h5", {0.25, 0.5}, {2, 3});
    EXPECT_THAT(stored("two.h5", "mean"), ElementsAre(0.25, 0.5));
    EXPECT_THAT(stored("two.h5", "std"), ElementsAre(2, 3));
    write("one.h5", 0.25, {0.5});
    EXPECT_THAT(stored("one.h5", "mean"), ElementsAre(0.25));
    EXPECT_THAT(stored("one.h5", "std"), ElementsAre(0.5));
    EXPECT_EQ(open_sequences((folder / "two.h5").string())->info().attributes.at("std"), Json({2, 3}));
}

TEST(Hdf5Writer, GrowsAndMarksSplits) {
    const test::TemporaryFolder folder;
    const auto file = (folder / "a.h5").string();
    const auto values = bytes(3);
    const std::vector splits{Split::test, Split::train, Split::validation};
    const auto writer = create_sequences(file, unknown_count, sequence_shape, {});
    writer->append(
        std::span<const std::uint8_t>(values).first(2 * static_cast<std::size_t>(sequence_shape.elements())));
    writer->append(
        std::span<const std::uint8_t>(values).last(static_cast<std::size_t>(sequence_shape.elements())));
    writer->set_splits(splits);
    writer->finish();
    const auto reader = open_sequences(file);
    EXPECT_EQ(reader->info().count, 3);
    EXPECT_THAT(reader->rows(Split::train), ElementsAre(1));
    EXPECT_THAT(reader->rows(Split::validation), ElementsAre(2));
    EXPECT_THAT(reader->rows(Split::test), ElementsAre(0));
    std::vector<float> expected;
    for (const auto v : values) expected.push_back(static_cast<float>(v) / 255.0F);
    EXPECT_EQ(read_all(*reader), expected);

    const auto wrong = create_sequences((folder / "b.h5").string(), 1, sequence_shape, {});
    wrong->append(std::span<const std::uint8_t>(bytes(1)));
    wrong->set_splits(splits);
    EXPECT_THAT(error_of([&] { wrong->finish(); }), HasSubstr("3 splits for 1 sequences"));
    const auto empty = create_sequences((folder / "c.h5").string(), unknown_count, sequence_shape, {});
    EXPECT_THAT(error_of([&] { empty->finish(); }), HasSubstr("0 of some sequences"));
    EXPECT_THAT(
        error_of([&] { create_sequences((folder / "c.npy").string(), unknown_count, sequence_shape, {}); }),
        HasSubstr("this must be a .h5 file"));
}

TEST(NpyWriter, WritesMovingMnistsLayout) {
    const test::TemporaryFolder folder;
    const auto file = (folder / "a.npy").string();
    const SequenceShape gray{3, 1, 5, 8};
    ASSERT_EQ(gray.elements(), sequence_shape.elements());
    const auto writer = create_sequences(file, sequence_count, gray, {.layout = "TNHW"});
    write_in_pieces<std::uint8_t>(*writer, bytes());
    writer->finish();
    const auto text = read_text(file);
    EXPECT_TRUE(text.starts_with(npy_header({3, sequence_count, 5, 8}, DType::u8)));
    const auto reader = open_sequences(file);
    EXPECT_EQ(reader->info().shape, gray);
    std::vector<float> expected;
    for (const auto v : bytes()) expected.push_back(static_cast<float>(v) / 255.0F);
    EXPECT_EQ(read_all(*reader), expected);
    EXPECT_THAT(
        error_of([&] { create_sequences(file, 1, sequence_shape, {.layout = "TNHW", .force = true}); }),
        HasSubstr("2 channels"));
}

TEST(NpyHeader, IsNumPys) {
    for (const auto* name : {"ntchw_u8.npy", "ntchw_f32.npy", "tnhw_f32.npy", "thw_u8.npy"}) {
        const auto text = read_text(test::reference(std::string("sequences/") + name));
        const auto header = parse_npy(std::as_bytes(std::span(text)), name);
        EXPECT_EQ(npy_header(header.shape, header.dtype), text.substr(0, header.data_offset)) << name;
    }
}

}  // namespace
}  // namespace stl
