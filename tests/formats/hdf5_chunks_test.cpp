// Chunks of HDF5 files: checksums, and what they would unpack to.
#include <numeric>

#include "stl/formats/sequences.h"
#include "tests/support/files.h"
#include "tests/support/hdf5.h"

namespace stl {
namespace {

using test::error_of;
using test::read_all;
using test::write_bytes;
using testing::HasSubstr;

/// uint8 [2,1,1,5,211], counting up, a chunk a sequence, packed if asked for and with checksums. Where its second chunk
/// begins.
std::size_t write_checked(const fs::path& path, bool packed) {
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t size[5]{2, 1, 1, 5, 211}, chunk[5]{1, 1, 1, 5, 211};
    const hid_t space = H5Screate_simple(5, size, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 5, chunk);
    if (packed) H5Pset_shuffle(creation);
    if (packed) H5Pset_deflate(creation, 4);
    H5Pset_fletcher32(creation);
    const hid_t set = H5Dcreate2(file, "sequences", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    std::vector<std::uint8_t> values(2 * 5 * 211);
    std::iota(values.begin(), values.end(), std::uint8_t{0});
    H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Fflush(file, H5F_SCOPE_LOCAL);
    const hsize_t second[5]{1};
    unsigned skipped = 0;
    haddr_t begin = 0;
    hsize_t bytes = 0;
    H5Dget_chunk_info_by_coord(set, second, &skipped, &begin, &bytes);
    H5Dclose(set);
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
    return begin;
}

TEST(Chunks, ChecksumsAreObeyed) {
    const test::TemporaryFolder folder;
    for (const bool packed : {false, true}) {
        const auto file = (folder / "a.h5").string();
        const auto second = write_checked(file, packed);
        const auto values = read_all(*open_sequences(file));
        for (std::size_t i = 0; i < values.size(); ++i)
            ASSERT_EQ(values[i], static_cast<float>(i % 256) / 255.0F) << packed << " " << i;
        auto text = read_text(file);
        text[second + 50] ^= 1;
        write_bytes(file, text);
        EXPECT_THAT(error_of([&] { read_all(*open_sequences(file)); }),
                    HasSubstr("a.h5: dataset 'sequences': damaged chunk (checksum)"))
            << packed;
    }
}

TEST(Chunks, OfMoreThanTheDatasetAreRefused) {
    const test::TemporaryFolder folder;
    const auto path = folder / "a.h5";
    for (const bool ours : {true, false}) {
        const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        const hsize_t size[5]{1, 1, 1, 2, 2}, most[5]{H5S_UNLIMITED, 1, 1, 2, 2},
            chunk[5]{1 << 26, 1, 1, 2, 2};
        const hid_t space = H5Screate_simple(5, size, most), creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 5, chunk);
        if (!ours) H5Pset_nbit(creation);  // HDF5 itself unpacks these
        H5Pset_deflate(creation, 9);
        const std::uint8_t fill = 0;
        H5Pset_fill_value(creation, H5T_NATIVE_UINT8, &fill);
        H5Dclose(H5Dcreate2(file, "sequences", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
        H5Pclose(creation);
        H5Sclose(space);
        H5Fclose(file);
        EXPECT_THAT(
            error_of([&] { open_sequences(path.string()); }),
            HasSubstr("a.h5: dataset 'sequences': damaged: chunks of 256.0 MiB for only 4 bytes of values"));
    }
}

/// A chunk whose stream unpacks to far more than the chunk holds.
TEST(Chunks, UnpackToNoMoreThanTheyHold) {
    const test::TemporaryFolder folder;
    const auto path = folder / "a.h5";
    std::string stream;
    {
        // The stream is that of a dataset with larger chunks.
        const hid_t file = H5Fcreate((folder / "large.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        const hsize_t size[1]{1 << 22};
        const hid_t space = H5Screate_simple(1, size, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 1, size);
        H5Pset_deflate(creation, 9);
        H5Pset_fletcher32(creation);
        const hid_t set = H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        const std::vector<std::uint8_t> zeros(size[0]);
        H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data());
        H5Fflush(file, H5F_SCOPE_LOCAL);
        const hsize_t first[1]{0};
        hsize_t bytes = 0;
        H5Dget_chunk_storage_size(set, first, &bytes);
        stream.resize(bytes);
        unsigned skipped = 0;
        H5Dread_chunk(set, H5P_DEFAULT, first, &skipped, stream.data());
        H5Dclose(set);
        H5Pclose(creation);
        H5Sclose(space);
        H5Fclose(file);
    }
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t size[5]{1, 1, 1, 64, 64}, first[5]{};
    const hid_t space = H5Screate_simple(5, size, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 5, size);
    H5Pset_deflate(creation, 9);
    H5Pset_fletcher32(creation);
    const hid_t set = H5Dcreate2(file, "sequences", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dwrite_chunk(set, H5P_DEFAULT, 0, first, stream.size(), stream.data());
    H5Dclose(set);
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
    const auto reader = open_sequences(path.string());
    EXPECT_THAT(error_of([&] { read_all(*reader); }), HasSubstr("a.h5: dataset 'sequences': damaged chunk"));
}

TEST(Chunks, OfManySequencesAreSlowAtRandom) {
    const test::TemporaryFolder folder;
    const auto path = (folder / "a.h5").string();
    const auto slow = [&](hsize_t rows, hsize_t rows_of_chunk) {
        const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        const hsize_t size[5]{rows, 1, 1, 32, 64}, chunk[5]{rows_of_chunk, 1, 1, 32, 64};
        const hid_t space = H5Screate_simple(5, size, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 5, chunk);
        H5Pset_deflate(creation, 1);
        const hid_t set =
            H5Dcreate2(file, "sequences", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        const std::vector<std::uint8_t> values(rows * 32 * 64);
        H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Dclose(set);
        H5Pclose(creation);
        H5Sclose(space);
        H5Fclose(file);
        return open_sequences(path)->info().slow_at_random;
    };
    EXPECT_THAT(slow(20000, 1000),
                testing::AllOf(HasSubstr("chunks of 1000 sequences (2 MB)"), HasSubstr("stl import")));
    EXPECT_EQ(slow(20000, 2), "");     // little is unpacked in vain
    EXPECT_EQ(slow(10000, 1000), "");  // all of it stays in memory
}

}  // namespace
}  // namespace stl
