// Texts of variable length in HDF5 files, read from the file's own heaps, whole and damaged.
#include "stl/formats/hdf5_array.h"
#include "stl/formats/sequences.h"
#include "tests/support/files.h"
#include "tests/support/hdf5.h"

namespace stl {
namespace {

using test::error_of;
using test::write_bytes;
using testing::ElementsAreArray;
using testing::HasSubstr;

const std::string units = "hours since 1900-01-01 00:00:00.0";

/// A file [1,1,1,2,2] whose attribute `source` and dataset `names` are texts of variable length.
std::string write_texts(const fs::path& path, const std::vector<const char*>& names, const char* source,
                        hsize_t user_block = 0) {
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    if (user_block > 0) H5Pset_userblock(creation, user_block);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, H5P_DEFAULT);
    const hid_t type = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR);
    H5Tset_size(type, H5T_VARIABLE);
    const hsize_t size[5]{1, 1, 1, 2, 2}, count = names.size();
    const hid_t space = H5Screate_simple(5, size, nullptr), list = H5Screate_simple(1, &count, nullptr);
    const hid_t set =
        H5Dcreate2(file, "sequences", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const std::uint8_t values[4]{1, 2, 3, 4};
    H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    const hid_t attribute = H5Acreate2(set, "source", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, &source);
    H5Aclose(attribute);
    const hid_t texts = H5Dcreate2(file, "names", type, list, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(texts, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, names.data());
    H5Dclose(texts);
    H5Dclose(set);
    for (const hid_t one : {list, space, scalar}) H5Sclose(one);
    H5Tclose(type);
    H5Fclose(file);
    H5Pclose(creation);
    return path.string();
}

Json source_of(const std::string& file) {
    return open_sequences(file + ":sequences")->info().attributes.value("source", Json());
}

TEST(VariableTexts, AreReadFromAttributesAndDatasets) {
    const test::TemporaryFolder folder;
    const std::string longer(5000, 'x');
    for (const hsize_t user_block : {0, 512}) {
        const auto file =
            write_texts(folder / "a.h5", {"a", "", longer.c_str(), "b"}, units.c_str(), user_block);
        EXPECT_EQ(source_of(file), units);
        EXPECT_EQ(Hdf5Array(file, "sequences").attribute("source"), units);
        const std::vector<std::string> expected{"a", "", longer, "b"};
        EXPECT_THAT(read_hdf5_texts(file, "names"), ElementsAreArray(expected));
    }
    EXPECT_EQ(source_of(write_texts(folder / "a.h5", {"a"}, longer.c_str())), longer);
    EXPECT_EQ(source_of(write_texts(folder / "a.h5", {"a"}, "")), "");
    EXPECT_TRUE(Hdf5Array(folder / "a.h5", "sequences").has_attribute("source"));
    EXPECT_FALSE(Hdf5Array(folder / "a.h5", "sequences").has_attribute("sauce"));
}

TEST(VariableTexts, DamagedHeapsAreNamed) {
    const test::TemporaryFolder folder;
    const auto whole = read_text(write_texts(folder / "a.h5", {"a", "b"}, units.c_str()));
    const auto heap = whole.find("GCOL");
    const auto entry = whole.find(units) - 16;
    ASSERT_NE(heap, std::string::npos);
    const auto with = [&](std::size_t at, const std::string& bytes) {
        auto text = whole;
        text.replace(at, bytes.size(), bytes);
        write_bytes(folder / "b.h5", text);
        return error_of([&] { source_of((folder / "b.h5").string()); });
    };
    const std::string huge(8, '\xff');
    EXPECT_THAT(with(heap, "LOCG"),
                HasSubstr("b.h5: a text of variable length cannot be read: its heap is damaged"));
    EXPECT_THAT(with(heap + 8, huge), HasSubstr("its heap lies beyond the file's end"));
    EXPECT_THAT(with(heap + 8, std::string(8, '\0')), HasSubstr("its heap lies beyond the file's end"));
    EXPECT_THAT(with(entry + 8, huge), HasSubstr("its heap is damaged"));
    EXPECT_THAT(with(entry, std::string(2, '\x77')), HasSubstr("its heap has no such entry"));
    // Whatever byte of the heap is damaged, the text is read, perhaps another one, or the file is refused.
    for (std::size_t at = heap; at < entry + 64; ++at) {
        auto text = whole;
        text[at] = '\xff';
        write_bytes(folder / "b.h5", text);
        try {
            source_of((folder / "b.h5").string());
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("b.h5"));
        }
    }
}

TEST(VariableTexts, AreNotMultiplied) {
    const test::TemporaryFolder folder;
    const std::string longer(30000, 'x');
    auto text = read_text(write_texts(folder / "a.h5", {longer.c_str(), "b", "c"}, "source"));
    // References: length, address, number. All name the long one.
    const std::string length("\x30\x75\0\0", 4);
    auto first = text.find(length);
    while (first != std::string::npos &&
           text.substr(first + 4, 4) == std::string(4, '\0'))  // the entry's own size
        first = text.find(length, first + 1);
    ASSERT_NE(first, std::string::npos);
    for (const std::size_t i : {1, 2}) text.replace(first + 16 * i, 16, text.substr(first, 16));
    write_bytes(folder / "b.h5", text);
    EXPECT_THAT(error_of([&] { read_hdf5_texts(folder / "b.h5", "names"); }),
                HasSubstr("longer texts than the file has room for"));
}

}  // namespace
}  // namespace stl
