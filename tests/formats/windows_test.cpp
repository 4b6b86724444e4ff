// Files whose sequences share frames, and arrays of other programs' HDF5 files.
#include "stl/formats/hdf5_windows.h"

#include <hdf5.h>

#include "stl/formats/hdf5_array.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using test::read_all;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Seven frames of 2x2x3; every value says its frame and place.
std::vector<float> frame(int number) {
    std::vector<float> values;
    for (int i = 0; i < 12; ++i) values.push_back(static_cast<float>(100 * number + i));
    return values;
}

void write_frames(WindowWriter& writer, int count) {
    for (int i = 0; i < count; ++i) writer.append(frame(i));
}

std::string file_of_windows(const fs::path& path, int compression) {
    WindowWriter writer(
        path, {3, 2, 2, 3},
        {.dtype = DType::f32, .fps = 5, .attributes = {{"mean", 2.5}}, .compression = compression});
    writer.add_window(0, Split::train);
    write_frames(writer, 7);
    writer.add_window(std::vector<std::int64_t>{6, 0, 1}, Split::test);
    writer.add_window(4, Split::validation);
    writer.finish();
    return path.string();
}

class Windows : public testing::TestWithParam<int> {};

TEST_P(Windows, ComeBackAsSequences) {
    const test::TemporaryFolder folder;
    const auto reader = open_sequences(file_of_windows(folder / "a.h5", GetParam()));
    EXPECT_EQ(reader->info().count, 3);
    EXPECT_EQ(reader->info().shape, (SequenceShape{3, 2, 2, 3}));
    EXPECT_EQ(reader->info().dtype, DType::f32);
    EXPECT_EQ(reader->info().fps, 5);
    EXPECT_EQ(reader->info().attributes.at("mean"), 2.5);
    std::vector<float> expected;
    for (const int number : {0, 1, 2, 6, 0, 1, 4, 5, 6}) {
        const auto values = frame(number);
        expected.insert(expected.end(), values.begin(), values.end());
    }
    EXPECT_EQ(read_all(*reader), expected);
    std::vector<float> last(36);
    reader->read(2, 1, last);
    EXPECT_TRUE(std::equal(last.begin(), last.end(), expected.begin() + 72));
    EXPECT_THAT(reader->rows(Split::train), ElementsAre(0));
    EXPECT_THAT(reader->rows(Split::validation), ElementsAre(2));
    EXPECT_THAT(reader->rows(Split::test), ElementsAre(1));
}

INSTANTIATE_TEST_SUITE_P(Compression, Windows, testing::Values(0, 4));

TEST(WindowWriter, LongSettingsAreKept) {
    const test::TemporaryFolder folder;
    const Json settings{{"parts", std::vector<std::string>(3000, "a source with a rather long name")}};
    const auto path = (folder / "a.h5").string();
    WindowWriter writer(path, {3, 2, 2, 3}, {.dtype = DType::f32, .attributes = settings});
    writer.add_window(0, Split::train);
    write_frames(writer, 3);
    writer.finish();
    EXPECT_EQ(open_sequences(path)->info().attributes, settings);
}

TEST(WindowWriter, BytesAreDividedBy255) {
    const test::TemporaryFolder folder;
    WindowWriter writer(folder / "a.h5", {2, 1, 1, 1}, {});
    writer.append(std::vector<std::uint8_t>{0, 51, 255});
    writer.add_window(1, Split::train);
    writer.finish();
    EXPECT_THAT(read_all(*open_sequences((folder / "a.h5").string())), ElementsAre(0.2F, 1.0F));
}

TEST(WindowWriter, MistakesAreNamedAndLeaveNothing) {
    const test::TemporaryFolder folder;
    const auto path = folder / "a.h5";
    {
        WindowWriter writer(path, {3, 2, 2, 3}, {.dtype = DType::f32});
        EXPECT_THAT(error_of([&] { writer.append(std::vector<float>(13)); }),
                    HasSubstr("expected frames of 12"));
        EXPECT_THAT(error_of([&] { writer.append(std::vector<std::uint8_t>(12)); }), HasSubstr("uint8"));
        EXPECT_THAT(error_of([&] { writer.add_window(std::vector<std::int64_t>{1}, Split::train); }),
                    HasSubstr("a sequence of 1 frames, expected 3"));
        write_frames(writer, 2);
        EXPECT_THAT(error_of([&] { writer.finish(); }), HasSubstr("not one sequence of 3 frames"));
        writer.add_window(0, Split::train);
        EXPECT_THAT(error_of([&] { writer.finish(); }), HasSubstr("names frame 2, there are 2"));
    }
    EXPECT_TRUE(folder.files().empty());
    write_text(path, "precious");
    EXPECT_THAT(error_of([&] { WindowWriter(path, {1, 1, 1, 1}, {}); }), HasSubstr("--force"));
}

/// A dataset of int64 zeros.
void add_integers(hid_t file, const char* name, std::vector<hsize_t> shape, std::int64_t value = 0) {
    std::size_t count = 1;
    for (const auto size : shape) count *= size;
    const std::vector<std::int64_t> values(count, value);
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t set = H5Dcreate2(file, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(set);
    H5Sclose(space);
}

std::string spoiled(const fs::path& path, const char* replaced, std::vector<hsize_t> shape,
                    std::int64_t value = 0) {
    fs::remove(path);
    const auto name = file_of_windows(path, 0);
    const hid_t file = H5Fopen(name.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, replaced, H5P_DEFAULT);
    add_integers(file, replaced, std::move(shape), value);
    H5Fclose(file);
    return error_of([&] { open_sequences(name); });
}

TEST(WindowReader, DamagedFilesAreRefused) {
    const test::TemporaryFolder folder;
    const auto path = folder / "a.h5";
    EXPECT_THAT(spoiled(path, "windows", {2, 3, 4}),
                HasSubstr("a.h5: dataset 'windows': int64 [2, 3, 4], expected int64 [N,T]"));
    EXPECT_THAT(spoiled(path, "windows", {2, 3}, 7), HasSubstr("names frame 7, there are 7"));
    EXPECT_THAT(spoiled(path, "windows", {2, 3}, -1), HasSubstr("names frame -1"));
    EXPECT_THAT(spoiled(path, "frames", {2, 3}), HasSubstr("shape [2, 3], expected [F,C,H,W]"));
    EXPECT_THAT(spoiled(path, "frames", {2, 1, 2, 3}), HasSubstr("int64 values, expected uint8 or float32"));
    EXPECT_THAT(spoiled(path, "split", {2}), HasSubstr("shape [2], expected [3]"));
    const auto whole = read_text(file_of_windows(folder / "b.h5", 0));
    test::write_bytes(folder / "c.h5", whole.substr(0, whole.size() / 2));
    EXPECT_THAT(error_of([&] { open_sequences((folder / "c.h5").string()); }),
                AllOf(HasSubstr("c.h5"), HasSubstr("truncated")));
}

TEST(Hdf5Array, RowsTextsAndMistakes) {
    const test::TemporaryFolder folder;
    const auto path = folder / "a.h5";
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    add_integers(file, "a", {3, 2}, 5);
    add_integers(file, "one", {}, 5);
    H5Fclose(file);
    const Hdf5Array array(path, "a");
    EXPECT_EQ(array.shape(), (Shape{3, 2}));
    EXPECT_EQ(array.dtype(), DType::i64);
    std::vector<double> rows(4);
    array.read(1, 2, std::span(rows));
    EXPECT_THAT(rows, ElementsAre(5, 5, 5, 5));
    EXPECT_TRUE(array.attribute("units").is_null());
    EXPECT_THAT(error_of([&] { array.read(2, 2, std::span(rows)); }), HasSubstr("rows 2 to 4 of 3"));
    EXPECT_THAT(hdf5_dataset_names(path), ElementsAre("a", "one"));
    EXPECT_THAT(read_hdf5_texts(path, "one"), ElementsAre("5"));
    EXPECT_THAT(error_of([&] { Hdf5Array(path, "b"); }), HasSubstr("no dataset 'b'"));
    EXPECT_THAT(error_of([&] { Hdf5Array(path, "one"); }), HasSubstr("a scalar, expected an array"));
    EXPECT_THAT(error_of([&] { Hdf5Array(folder / "none.h5", "b"); }), HasSubstr("none.h5: no such file"));
}

}  // namespace
}  // namespace stl
