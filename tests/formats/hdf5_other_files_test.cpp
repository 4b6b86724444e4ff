// What an HDF5 file may read besides itself, and what HDF5 would read as zeros in silence.
#include <numeric>

#include "stl/formats/hdf5_array.h"
#include "stl/formats/sequences.h"
#include "tests/support/external_link.h"
#include "tests/support/files.h"
#include "tests/support/hdf5.h"

namespace stl {
namespace {

using test::error_of;
using test::read_all;
using test::write_bytes;
using test::write_external_link;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t one = 4 * 8 * 8;  ///< values of a sequence

std::vector<std::uint8_t> bytes(std::size_t count) {
    std::vector<std::uint8_t> values(count);
    std::iota(values.begin(), values.end(), std::uint8_t{1});
    return values;
}

std::string write_sequences(const fs::path& path, std::int64_t count,
                            const std::string& dataset = "sequences", int compression = 0) {
    fs::create_directories(path.parent_path());
    const auto writer =
        create_sequences(path.string() + ":" + dataset, count, {4, 1, 8, 8}, {.compression = compression});
    writer->append(bytes(static_cast<std::size_t>(count) * one));
    writer->finish();
    return path.string();
}

/// A file being made with HDF5's own calls.
class NewFile {
  public:
    explicit NewFile(const fs::path& path)
        : path_(path.string()), id_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
    ~NewFile() { H5Fclose(id_); }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    hid_t id() const { return id_; }

    /// uint8 [count,4,1,8,8], unwritten.
    hid_t create(hid_t creation, hsize_t count, hsize_t largest = 0) const {
        const hsize_t size[5]{count, 4, 1, 8, 8};
        const hsize_t most[5]{largest == 0 ? count : largest, 4, 1, 8, 8};
        const hid_t space = H5Screate_simple(5, size, most);
        const hid_t set =
            H5Dcreate2(id_, "sequences", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        EXPECT_GE(set, 0);
        H5Sclose(space);
        H5Pclose(creation);
        return set;
    }

  private:
    std::string path_;
    hid_t id_;
};

/// Of one sequence of each of `sources`; those of `missing` have none.
std::string write_virtual(const fs::path& path, const std::vector<std::string>& sources, hsize_t without = 0,
                          const char* dataset = "sequences") {
    fs::create_directories(path.parent_path());
    const NewFile file(path);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t all[5]{sources.size() + without, 4, 1, 8, 8}, part[5]{1, 4, 1, 8, 8};
    const hid_t whole = H5Screate_simple(5, all, nullptr), source = H5Screate_simple(5, part, nullptr);
    for (hsize_t i = 0; i < sources.size(); ++i) {
        const hsize_t start[5]{i, 0, 0, 0, 0};
        H5Sselect_hyperslab(whole, H5S_SELECT_SET, start, nullptr, part, nullptr);
        H5Pset_virtual(creation, whole, sources[i].c_str(), dataset, source);
    }
    H5Dclose(file.create(creation, all[0]));
    H5Sclose(whole);
    H5Sclose(source);
    return path.string();
}

struct Raw {
    std::string name;
    off_t offset;
    hsize_t size;
};

/// Two sequences, their values in other files.
std::string write_raw(const fs::path& path, const std::vector<Raw>& files) {
    fs::create_directories(path.parent_path());
    const NewFile file(path);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    for (const auto& raw : files) H5Pset_external(creation, raw.name.c_str(), raw.offset, raw.size);
    H5Dclose(file.create(creation, 2));
    return path.string();
}

std::string refusal(const std::string& file) {
    return error_of([&] { open_sequences(file); });
}

constexpr ReadOptions permitted{.external = {.allowed = true}};

const auto outside = HasSubstr("which lies outside its folder and is not read (--allow-external permits it)");

TEST(OtherFiles, SourcesOfVirtualDatasetsAreReadBesideTheFile) {
    const test::TemporaryFolder folder;
    write_sequences(folder / "d/a.h5", 1);
    write_sequences(folder / "d/below/b.h5", 1);
    const auto reader = open_sequences(write_virtual(folder / "d/v.h5", {"a.h5", "below/b.h5"}));
    auto expected = read_all(*open_sequences((folder / "d/a.h5").string()));
    expected.insert(expected.end(), expected.begin(), expected.end());
    EXPECT_EQ(read_all(*reader), expected);
    EXPECT_TRUE(reader->info().warnings.empty());
}

TEST(OtherFiles, SourcesElsewhereAreRefusedUnlessAllowed) {
    const test::TemporaryFolder folder;
    const auto far = write_sequences(folder / "far.h5", 1);
    fs::create_directories(folder / "d");
    fs::create_symlink(far, folder / "d/near.h5");
    fs::create_symlink(folder / "d", folder / "e");
    for (const auto& source : {far, std::string("../far.h5"), std::string("near.h5")}) {
        const auto file = write_virtual(folder / "d/v.h5", {source});
        EXPECT_THAT(refusal(file), AllOf(HasSubstr("v.h5: refers to "),
                                         HasSubstr(fs::path(source).filename().string()), outside));
        EXPECT_EQ(open_sequences(file, permitted)->info().count, 1);
    }
    // By links into the folder the same file is found in it.
    write_sequences(folder / "d/a.h5", 1);
    write_virtual(folder / "d/v.h5", {(folder / "e/a.h5").string()});
    EXPECT_EQ(open_sequences((folder / "e/v.h5").string())->info().count, 1);
}

TEST(OtherFiles, MissingSourcesAreNamed) {
    const test::TemporaryFolder folder;
    write_sequences(folder / "a.h5", 1);
    const auto file = write_virtual(folder / "v.h5", {"a.h5", "gone.h5"});
    EXPECT_THAT(refusal(file), HasSubstr("v.h5: dataset 'sequences': its source gone.h5 is missing"));
    write_bytes(folder / "gone.h5", std::string(100, 'x'));
    EXPECT_THAT(refusal(file), HasSubstr("gone.h5: not an HDF5 file"));
    fs::remove(folder / "gone.h5");
    write_sequences(folder / "gone.h5", 1, "others");
    EXPECT_THAT(refusal(file), HasSubstr("gone.h5: no dataset 'sequences'"));
    EXPECT_THAT(error_of([&] { Hdf5Array(file, "sequences"); }), HasSubstr("gone.h5"));
    EXPECT_THAT(refusal(write_virtual(folder / "w.h5", {"a.h5"}, 2)),
                HasSubstr("512 of 768 values have no source, and no fill value is set"));
}

TEST(OtherFiles, SmallSourcesAreRefused) {
    const test::TemporaryFolder folder;
    const auto writer = create_sequences(folder / "a.h5", 1, {2, 1, 8, 8}, {});
    writer->append(bytes(one / 2));
    writer->finish();
    EXPECT_THAT(refusal(write_virtual(folder / "v.h5", {"a.h5"})),
                HasSubstr("its source a.h5 has the shape [1, 2, 1, 8, 8], expected 256 values"));
}

TEST(OtherFiles, SourcesOfSourcesAreCheckedToo) {
    const test::TemporaryFolder folder;
    write_sequences(folder / "far.h5", 1);
    write_virtual(folder / "d/inner.h5", {"../far.h5"});
    const auto file = write_virtual(folder / "d/v.h5", {"inner.h5"});
    EXPECT_THAT(refusal(file), AllOf(HasSubstr("far.h5"), outside));
    EXPECT_EQ(open_sequences(file, permitted)->info().count, 1);
    write_external_link(folder / "d/inner.h5", "../far.h5");
    EXPECT_THAT(refusal(file), AllOf(HasSubstr("far.h5"), outside));
    write_raw(folder / "d/inner.h5", {{(folder / "far.h5").string(), 0, 512}});
    EXPECT_THAT(refusal(file), AllOf(HasSubstr("far.h5"), outside));
    write_virtual(folder / "d/self.h5", {"self.h5"});
    EXPECT_THAT(refusal((folder / "d/self.h5").string()), HasSubstr("virtual datasets in virtual datasets"));
}

TEST(OtherFiles, NumberedSourcesAreCheckedOneByOne) {
    const test::TemporaryFolder folder;
    fs::create_directories(folder / "d");
    const auto file = (folder / "d/v.h5").string();
    {
        const NewFile made(file);
        const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        const hsize_t start[5]{}, stride[5]{1, 4, 1, 8, 8}, count[5]{H5S_UNLIMITED, 1, 1, 1, 1};
        const hsize_t all[5]{1, 4, 1, 8, 8}, most[5]{H5S_UNLIMITED, 4, 1, 8, 8};
        const hid_t whole = H5Screate_simple(5, all, most), source = H5Screate_simple(5, all, nullptr);
        H5Sselect_hyperslab(whole, H5S_SELECT_SET, start, stride, count, stride);
        H5Pset_virtual(creation, whole, "part%b.h5", "sequences", source);
        H5Dclose(made.create(creation, 1, H5S_UNLIMITED));
        H5Sclose(whole);
        H5Sclose(source);
    }
    EXPECT_THAT(refusal(file), HasSubstr("its source part0.h5 is missing"));
    write_sequences(folder / "d/part0.h5", 1);
    write_sequences(folder / "d/part1.h5", 1);
    EXPECT_EQ(open_sequences(file)->info().count, 2);
    write_sequences(folder / "far.h5", 1);
    fs::create_symlink(folder / "far.h5", folder / "d/part2.h5");
    EXPECT_THAT(refusal(file), AllOf(HasSubstr("part2.h5"), outside));
    EXPECT_EQ(open_sequences(file, permitted)->info().count, 3);
}

TEST(OtherFiles, AreReadByThemselvesAtTheSameTime) {
    const test::TemporaryFolder folder;
    const auto alone = write_sequences(folder / "a.h5", 1);
    for (const auto& file :
         {write_external_link(folder / "l.h5", "a.h5"), write_virtual(folder / "v.h5", {"a.h5"})}) {
        const auto first = open_sequences(file), second = open_sequences(file), third = open_sequences(alone);
        const auto values = read_all(*first);
        const auto fourth = open_sequences(file), fifth = open_sequences(alone);
        for (const auto* reader : {&second, &third, &fourth, &fifth}) EXPECT_EQ(read_all(**reader), values);
    }
}

TEST(OtherFiles, LinksToOtherFilesAreFollowedBesideTheFile) {
    const test::TemporaryFolder folder;
    write_sequences(folder / "far.h5", 1);
    write_sequences(folder / "d/a.h5", 1);
    EXPECT_EQ(open_sequences(write_external_link(folder / "d/l.h5", "a.h5"))->info().count, 1);
    EXPECT_EQ(open_sequences(write_external_link(folder / "d/l.h5", "a.h5", "g", "/") + ":g/sequences")
                  ->info()
                  .count,
              1);
    const auto file = write_external_link(folder / "d/l.h5", "../far.h5");
    EXPECT_THAT(refusal(file), AllOf(HasSubstr("l.h5: refers to "), HasSubstr("far.h5"), outside));
    EXPECT_EQ(open_sequences(file, permitted)->info().count, 1);
    EXPECT_THAT(refusal(write_external_link(folder / "d/l.h5", "../far.h5", "g", "/") + ":g/sequences"),
                outside);
    write_external_link(folder / "d/m.h5", "l.h5", "sequences", "/g/sequences");
    EXPECT_THAT(refusal((folder / "d/m.h5").string()), AllOf(HasSubstr("far.h5"), outside));
    EXPECT_THAT(refusal(write_external_link(folder / "d/l.h5", "gone.h5")),
                HasSubstr("links to gone.h5, which is missing"));
    EXPECT_THAT(refusal(write_external_link(folder / "d/l.h5", "/dev/zero")),
                AllOf(HasSubstr("/dev/zero"), outside));
    EXPECT_NE(
        error_of([&] { open_sequences(write_external_link(folder / "d/l.h5", "/dev/zero"), permitted); }),
        "");
}

TEST(OtherFiles, RawFilesAreReadBesideTheFile) {
    const test::TemporaryFolder folder;
    fs::create_directories(folder / "d");
    const auto values = bytes(2 * one + 3);
    const std::string text(values.begin(), values.end());
    write_bytes(folder / "d/a.raw", text);
    const auto expected = read_all(*open_sequences(write_sequences(folder / "same.h5", 2)));
    EXPECT_EQ(read_all(*open_sequences(write_raw(folder / "d/r.h5", {{"a.raw", 0, 2 * one}}))), expected);
    const auto unlimited = write_raw(folder / "d/r.h5", {{"a.raw", 0, H5F_UNLIMITED}});
    EXPECT_EQ(read_all(*open_sequences(unlimited)), expected);
    write_bytes(folder / "d/b.raw", text.substr(one));
    const auto halves = write_raw(folder / "d/r.h5", {{"a.raw", 0, one}, {"b.raw", 0, one}});
    EXPECT_EQ(read_all(*open_sequences(halves)), expected);
}

TEST(OtherFiles, RawFilesThatAreElsewhereMissingOrShortAreRefused) {
    const test::TemporaryFolder folder;
    write_bytes(folder / "far.raw", std::string(2 * one, 'x'));
    write_sequences(folder / "d/a.h5", 1);
    const auto file = write_raw(folder / "d/r.h5", {{(folder / "far.raw").string(), 0, 2 * one}});
    EXPECT_THAT(refusal(file), AllOf(HasSubstr("r.h5: refers to "), HasSubstr("far.raw"), outside));
    EXPECT_EQ(open_sequences(file, permitted)->info().count, 2);
    EXPECT_THAT(refusal(write_raw(folder / "d/r.h5", {{"/etc/passwd", 0, 2 * one}})),
                AllOf(HasSubstr("refers to /etc/passwd"), outside));
    EXPECT_THAT(refusal(write_raw(folder / "d/r.h5", {{"gone.raw", 0, 2 * one}})),
                HasSubstr("gone.raw, which is missing"));
    write_bytes(folder / "d/a.raw", std::string(2 * one - 1, 'x'));
    for (const hsize_t size : {hsize_t{2 * one}, H5F_UNLIMITED}) {
        EXPECT_THAT(
            refusal(write_raw(folder / "d/r.h5", {{"a.raw", 0, size}})),
            AllOf(HasSubstr("a.raw, which is too short: 511 bytes from byte 0 on, expected 512 bytes")));
    }
    EXPECT_THAT(refusal(write_raw(folder / "d/r.h5", {{"a.raw", 1000, 2 * one}})), HasSubstr("too short"));
}

/// One of three chunks is written.
std::string write_chunks(const fs::path& path, bool packed, const std::uint8_t* fill) {
    const NewFile file(path);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[5]{1, 4, 1, 8, 8}, start[5]{1, 0, 0, 0, 0};
    H5Pset_chunk(creation, 5, chunk);
    if (packed) H5Pset_deflate(creation, 1);
    if (fill != nullptr) H5Pset_fill_value(creation, H5T_NATIVE_UINT8, fill);
    const hid_t set = file.create(creation, 3);
    const hid_t here = H5Screate_simple(5, chunk, nullptr), there = H5Dget_space(set);
    H5Sselect_hyperslab(there, H5S_SELECT_SET, start, nullptr, chunk, nullptr);
    H5Dwrite(set, H5T_NATIVE_UINT8, here, there, H5P_DEFAULT, bytes(one).data());
    H5Sclose(here);
    H5Sclose(there);
    H5Dclose(set);
    return path.string();
}

TEST(UnwrittenChunks, AreRefusedUnlessAFillValueIsSet) {
    const test::TemporaryFolder folder;
    for (const bool packed : {false, true}) {
        EXPECT_THAT(
            refusal(write_chunks(folder / "a.h5", packed, nullptr)),
            HasSubstr(
                "a.h5: dataset 'sequences': 2 of 3 chunks were never written, and no fill value is set"));
        const std::uint8_t fill = 51;
        const auto reader = open_sequences(write_chunks(folder / "a.h5", packed, &fill));
        EXPECT_THAT(reader->info().warnings,
                    ElementsAre(HasSubstr("2 of 3 chunks were never written; they read as the fill value")));
        std::vector<float> row(one);
        reader->read(2, 1, row);
        EXPECT_THAT(row, Each(0.2F)) << packed;
    }
    {
        const NewFile file(folder / "b.h5");
        H5Dclose(file.create(H5Pcreate(H5P_DATASET_CREATE), 3));
    }
    EXPECT_THAT(refusal((folder / "b.h5").string()), HasSubstr("no value was ever written"));
}

TEST(UnwrittenChunks, AChunkThatADamagedIndexHidesIsMissing) {
    const test::TemporaryFolder folder;
    const auto file = (folder / "a.h5").string();
    {
        // In the format of HDF5 before 1.10, whose index has no checksum.
        const NewFile made(file);
        const hsize_t chunk[5]{1, 4, 1, 8, 8};
        const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 5, chunk);
        H5Pset_deflate(creation, 4);
        const hid_t set = made.create(creation, 3);
        H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes(3 * one).data());
        H5Dclose(set);
    }
    auto text = read_text(file);
    // Of the B-tree over chunks: 24 bytes of header; for each chunk 8 bytes, its offsets (of 6 axes) and its address.
    const auto tree = text.find(std::string("TREE\x01\0\x03\0", 8));
    ASSERT_NE(tree, std::string::npos);
    const auto offset_of_second = tree + 24 + (8 + 6 * 8 + 8) + 8;
    ASSERT_EQ(text[offset_of_second], 1);
    text[offset_of_second] = 2;
    write_bytes(file, text);
    EXPECT_THAT(error_of([&] { read_all(*open_sequences(file)); }), HasSubstr("a chunk is missing"));
}

TEST(FilesCutShort, AreNoticedWhileTheyAreRead) {
    const test::TemporaryFolder folder;
    const auto values = bytes(4 * one);
    const auto cut = [&](const std::string& file, const fs::path& part) {
        const auto reader = open_sequences(file);
        std::vector<float> row(one);
        reader->read(1, 1, row);
        fs::resize_file(part, fs::file_size(part) - one / 2);
        EXPECT_THAT(
            error_of([&] { reader->read(1, 1, row); }),
            AllOf(HasSubstr(part.filename().string()), HasSubstr("cut short while it was being read")))
            << file;
    };
    {
        const NewFile file(folder / "plain.h5");
        const hid_t set = file.create(H5Pcreate(H5P_DATASET_CREATE), 2);
        H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Dclose(set);
    }
    cut((folder / "plain.h5").string(), folder / "plain.h5");
    cut(write_sequences(folder / "packed.h5", 2, "sequences", 4), folder / "packed.h5");
    write_sequences(folder / "a.h5", 1);
    write_sequences(folder / "b.h5", 1);
    cut(write_virtual(folder / "v.h5", {"a.h5", "b.h5"}), folder / "b.h5");
    write_sequences(folder / "c.h5", 2);
    cut(write_external_link(folder / "l.h5", "c.h5"), folder / "c.h5");
    write_bytes(folder / "a.raw", std::string(values.begin(), values.begin() + 2 * one));
    cut(write_raw(folder / "r.h5", {{"a.raw", 0, 2 * one}}), folder / "a.raw");
}

TEST(FilesCutShort, AReplacedFileIsReadAsItWasOpened) {
    const test::TemporaryFolder folder;
    const auto file = write_sequences(folder / "a.h5", 2);
    const auto reader = open_sequences(file);
    const auto expected = read_all(*reader);
    write_sequences(folder / "new.h5", 1);
    fs::rename(folder / "new.h5", file);
    EXPECT_EQ(read_all(*reader), expected);
}

}  // namespace
}  // namespace stl
