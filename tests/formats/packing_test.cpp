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

/// Integers of every width, in an HDF5 and in an NPY file.
struct Integers {
    const char* name;   ///< SequenceInfo::dtype
    const char* descr;  ///< NPY's
    hid_t type;
    std::array<int, 4> values;
};

class IntegerSequences : public PackedNumbers, public testing::WithParamInterface<Integers> {};

TEST_P(IntegerSequences, KeepTheirNumbers) {
    const auto& p = GetParam();
    const auto expected = testing::Pointwise(testing::Eq(), p.values);
    write(p.type, p.values);
    const auto hdf5 = open();
    EXPECT_STREQ(dtype_name(hdf5->info().dtype), p.name);
    EXPECT_THAT(read_all(*hdf5), expected);

    std::string file("\x93NUMPY\x01\x00", 8),
        header =
            fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (1, 1, 1, 1, 4), }}", p.descr);
    header.resize(117, ' ');
    header += '\n';
    file += static_cast<char>(header.size());
    file += '\0';
    file += header;
    const auto bytes = static_cast<std::size_t>(p.descr[2] - '0');
    for (const std::int64_t value : p.values)
        file.append(reinterpret_cast<const char*>(&value), bytes);  // the lower bytes come first
    const auto path = (folder_ / "a.npy").string();
    test::write_bytes(path, file);
    const auto npy = open_sequences(path);
    EXPECT_STREQ(dtype_name(npy->info().dtype), p.name);
    EXPECT_THAT(read_all(*npy), expected);
    EXPECT_EQ(npy->info().range, hdf5->info().range);
    const bool whole_type = std::string_view(p.name) == "uint16";
    EXPECT_EQ(npy->info().range, whole_type ? std::optional(ValueRange{0, 65535}) : std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(widths, IntegerSequences,
                         testing::Values(Integers{"int8", "<i1", H5T_STD_I8LE, {-128, 0, 3, 127}},
                                         Integers{"uint16", "<u2", H5T_STD_U16LE, {0, 4095, 40000, 65535}},
                                         Integers{"int16", "<i2", H5T_STD_I16LE, {-32768, 0, 3, 32767}},
                                         Integers{"uint32", "<u4", H5T_STD_U32LE, {0, 1, 70000, 1 << 24}},
                                         Integers{"int32", "<i4", H5T_STD_I32LE, {-(1 << 24), 0, 3, 70000}},
                                         Integers{"uint64", "<u8", H5T_STD_U64LE, {0, 1, 70000, 1 << 24}},
                                         Integers{"int64", "<i8", H5T_STD_I64LE, {-(1 << 24), 0, 3, 70000}}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(PackedNumbers, TheRangeIsWhatAttributesSay) {
    write(H5T_STD_I16LE, {0, 1, 2, 3});
    attribute("range", {-5, 40});
    EXPECT_EQ(open()->info().range, (ValueRange{-5, 40}));

    write(H5T_STD_I16LE, {0, 1, 2, 3});  // CF's are of the stored numbers
    attribute("scale_factor", {0.5});
    attribute("add_offset", {270});
    attribute("valid_range", {-100, 100});
    EXPECT_EQ(open()->info().range, (ValueRange{220, 320}));

    write(H5T_IEEE_F32LE, {0, 1, 2, 3});
    attribute("valid_min", {1});
    attribute("valid_max", {3});
    EXPECT_EQ(open()->info().range, (ValueRange{1, 3}));

    write(H5T_STD_U8LE, {0, 1, 2, 3});  // which are divided by 255
    EXPECT_EQ(open()->info().range, ValueRange{});
    write(H5T_STD_U8LE, {0, 1, 2, 3});
    attribute("range", {0, 51});
    EXPECT_EQ(open()->info().range, (ValueRange{0, 0.2}));

    write(H5T_IEEE_F32LE, {0, 1, 2, 3});
    EXPECT_EQ(open()->info().range, std::nullopt);
    for (const std::vector<double>& meaningless : {std::vector<double>{3, 1}, {1, 2, 3}, {0, INFINITY}}) {
        write(H5T_IEEE_F32LE, {0, 1, 2, 3});
        attribute("range", meaningless);
        EXPECT_EQ(open()->info().range, std::nullopt);
    }
}

TEST(FloatsOfFourAxes, FromZeroToOneAreNotDivided) {
    const test::TemporaryFolder folder;
    const auto path = (folder / "a.npy").string();
    const auto write = [&](float highest) {
        auto writer =
            create_sequences(path, 2, {1, 1, 1, 2}, {.dtype = DType::f32, .layout = "TNHW", .force = true});
        writer->append(std::vector<float>{0.25F * highest, 0, 0, highest});
        writer->finish();
    };
    write(1);
    const auto unit = open_sequences(path);
    EXPECT_THAT(read_all(*unit), ElementsAre(0.25F, 0, 0, 1));
    EXPECT_THAT(unit->info().warnings, testing::Contains(HasSubstr("used unchanged, as a guess")));
    write(255);
    const auto bytes = open_sequences(path);
    EXPECT_THAT(read_all(*bytes), ElementsAre(0.25F, 0, 0, 1));
    EXPECT_THAT(bytes->info().warnings, testing::Each(testing::Not(HasSubstr("used unchanged, as a guess"))));
}

}  // namespace
}  // namespace stl
