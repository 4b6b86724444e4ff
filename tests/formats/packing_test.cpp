// Numbers that attributes of an HDF5 dataset scale or call missing.
#include <cmath>

#include "stl/formats/sequences.h"
#include "tests/support/files.h"
#include "tests/support/hdf5.h"

namespace stl {
namespace {

using test::error_of;
using test::read_all;
using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;
using testing::IsNan;

class PackedNumbers : public testing::Test {
  protected:
    PackedNumbers() : path_((folder_ / "a.h5").string()) {}

    /// [1,1,1,1,4] of `type` in the file.
    void write(hid_t type, const std::array<int, 4>& values) {
        file_ = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        const hsize_t size[5]{1, 1, 1, 1, 4};
        const hid_t space = H5Screate_simple(5, size, nullptr);
        set_ = H5Dcreate2(file_, "sequences", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(set_, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Sclose(space);
    }

    /// netCDF writes lists, of one number too.
    void attribute(const char* name, const std::vector<double>& values) {
        const hsize_t count = values.size();
        const hid_t space = H5Screate_simple(1, &count, nullptr);
        const hid_t one = H5Acreate2(set_, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(one, H5T_NATIVE_DOUBLE, values.data());
        H5Aclose(one);
        H5Sclose(space);
    }

    void text_attribute(const char* name) {
        const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
        H5Tset_size(type, 4);
        const hid_t one = H5Acreate2(set_, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(one, type, "none");
        H5Aclose(one);
        H5Sclose(space);
        H5Tclose(type);
    }

    std::unique_ptr<SequenceReader> open(const std::string& layout = "") {
        H5Dclose(set_);
        H5Fclose(file_);
        return open_sequences(path_, {.layout = layout});
    }

    test::TemporaryFolder folder_;
    std::string path_;
    hid_t file_ = -1, set_ = -1;
};

TEST_F(PackedNumbers, AreScaledAndMissingOnesAreNan) {
    for (const hid_t type : {H5T_STD_I16LE, H5T_STD_I32LE, H5T_IEEE_F32LE}) {
        for (const auto* layout : {"", "NTHWC"}) {
            write(type, {-100, 0, -32767, 250});
            attribute("scale_factor", {0.5});
            attribute("add_offset", {270});
            attribute("_FillValue", {-32767});
            const auto reader = open(layout);
            EXPECT_EQ(reader->info().dtype, DType::f32);
            EXPECT_THAT(read_all(*reader), ElementsAre(220, 270, IsNan(), 395));
        }
    }
}

TEST_F(PackedNumbers, BytesThatAreScaledAreNotDividedBy255) {
    write(H5T_STD_U8LE, {0, 51, 254, 255});
    attribute("scale_factor", {0.25});
    attribute("missing_value", {254, 255});
    EXPECT_THAT(read_all(*open()), ElementsAre(0, 12.75F, IsNan(), IsNan()));
}

TEST_F(PackedNumbers, BytesWithMissingValuesAloneStayPictures) {
    write(H5T_STD_U8LE, {0, 51, 254, 255});
    attribute("_FillValue", {254});
    const auto reader = open();
    EXPECT_EQ(reader->info().dtype, DType::u8);
    EXPECT_THAT(read_all(*reader), ElementsAre(0, FloatEq(0.2F), IsNan(), 1));
}

TEST_F(PackedNumbers, AttributesThatCannotScaleAreRefused) {
    const auto refusal = [&](const char* name, const std::vector<double>& values) {
        write(H5T_IEEE_F32LE, {1, 2, 3, 4});
        values.empty() ? text_attribute(name) : attribute(name, values);
        return error_of([&] { open(); });
    };
    EXPECT_THAT(refusal("scale_factor", {}),
                HasSubstr("a.h5: dataset 'sequences': its attribute 'scale_factor' is not a number"));
    EXPECT_THAT(refusal("scale_factor", {0}), HasSubstr("'scale_factor' is 0"));
    EXPECT_THAT(refusal("add_offset", {1, 2}), HasSubstr("'add_offset' is not one finite number"));
    EXPECT_THAT(refusal("_FillValue", {}), HasSubstr("'_FillValue' is not a number"));
}

}  // namespace
}  // namespace stl
