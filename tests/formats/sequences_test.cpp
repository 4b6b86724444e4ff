// Reading of sequence files that NumPy and h5py wrote, through every rule about their axes.
#include "stl/formats/sequences.h"

#include <limits>
#include <thread>

#include "stl/archive/zip.h"
#include "stl/core/file_kind.h"
#include "stl/formats/hdf5_parts.h"
#include "stl/formats/npy_file.h"
#include "stl/formats/sequence_formats.h"
#include "tests/support/bytes.h"
#include "tests/support/files.h"
#include "tests/support/hdf5.h"

namespace stl {
namespace {

using test::error_of;
using test::read_all;
using test::reference;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string stored(const std::string& name) {
    return reference("sequences/" + name);
}

/// What every reference file holds: uint8 values by a rule of their indices, here as x: [N,T,C,5,6] in [0,1].
std::vector<float> expected(std::int64_t count, std::int64_t channels, std::int64_t first = 0) {
    std::vector<float> values;
    for (std::int64_t n = first; n < first + count; ++n)
        for (int t = 0; t < 4; ++t)
            for (int c = 0; c < channels; ++c)
                for (int h = 0; h < 5; ++h)
                    for (int w = 0; w < 6; ++w) {
                        const auto v =
                            static_cast<float>((97 * n + 31 * t + 17 * c + 7 * h + 3 * w + 5) % 251);
                        values.push_back(v / 255.0F);
                    }
    return values;
}

struct Case {
    std::string file;
    std::string layout;
    std::int64_t count;
    std::int64_t channels;
    DType dtype;
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << c.file << " " << c.layout;
}

class StoredSequences : public testing::TestWithParam<Case> {};

TEST_P(StoredSequences, ReadAsTheirRuleSays) {
    const auto& p = GetParam();
    const auto reader = open_sequences(stored(p.file), {.layout = p.layout});
    EXPECT_EQ(reader->info().count, p.count);
    EXPECT_EQ(reader->info().shape, (SequenceShape{4, p.channels, 5, 6}));
    EXPECT_EQ(reader->info().dtype, p.dtype);
    EXPECT_EQ(read_all(*reader), expected(p.count, p.channels));
}

TEST_P(StoredSequences, RowsAreReadAlone) {
    const auto& p = GetParam();
    const auto reader = open_sequences(stored(p.file), {.layout = p.layout});
    std::vector<float> row(static_cast<std::size_t>(reader->info().shape.elements()));
    for (std::int64_t i = p.count - 1; i >= 0; --i) {
        reader->read(i, 1, row);
        EXPECT_EQ(row, expected(1, p.channels, i)) << "row " << i;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Files, StoredSequences,
    testing::Values(Case{"ntchw_u8.npy", "", 3, 2, DType::u8}, Case{"ntchw_f32.npy", "", 3, 2, DType::f32},
                    Case{"ntchw_f64_fortran.npy", "", 3, 2, DType::f64},
                    Case{"version2.npy", "", 3, 2, DType::u8}, Case{"python2.npy", "", 3, 2, DType::u8},
                    // Moving MNIST's convention: divided by 255 as float too.
                    Case{"tnhw_u8.npy", "", 3, 1, DType::u8}, Case{"tnhw_f32.npy", "", 3, 1, DType::f32},
                    Case{"tnhw_f32.npy", "TNHW", 3, 1, DType::f32}, Case{"tnhwc_u8.npy", "", 3, 3, DType::u8},
                    Case{"thw_u8.npy", "THW", 1, 1, DType::u8}, Case{"stored.npz", "", 3, 2, DType::u8},
                    Case{"stored.npz:other", "", 1, 2, DType::u8}, Case{"deflated.npz", "", 3, 2, DType::f32},
                    Case{"h5py.h5", "", 3, 2, DType::u8}, Case{"h5py.h5:sequences", "NTCHW", 3, 2, DType::u8},
                    Case{"h5py.h5:group/predictions", "", 2, 2, DType::f32},
                    Case{"h5py.h5:odd_chunks", "", 3, 2, DType::u8},
                    Case{"h5py.h5:gray", "NTHW", 3, 1, DType::u8},
                    Case{"h5py.h5:moving", "TNHW", 3, 1, DType::u8}));

TEST(Sequences, StatedLayoutOverridesTheRule) {
    // The file's 4x3x5x6x3 would be [T,N,H,W,C].
    const auto reader = open_sequences(stored("tnhwc_u8.npy"), {.layout = "NTCHW"});
    EXPECT_EQ(reader->info().count, 4);
    EXPECT_EQ(reader->info().shape, (SequenceShape{3, 5, 6, 3}));
}

std::string zeros(const fs::path& path, const Shape& shape, DType dtype) {
    const auto bytes = static_cast<std::size_t>(element_count(shape, "zeros")) * dtype_size(dtype);
    write_text(path, npy_header(shape, dtype) + std::string(bytes, '\0'));
    return path.string();
}

TEST(Sequences, GuessedAxesAreReported) {
    const test::TemporaryFolder folder;
    const auto guess = [&](const Shape& shape, DType dtype, const std::string& layout = "") {
        const auto reader = open_sequences(zeros(folder / "a.npy", shape, dtype), {.layout = layout});
        return reader->info().warnings;
    };
    EXPECT_THAT(guess({2, 4, 1, 8, 8}, DType::f32), ElementsAre());
    EXPECT_THAT(
        guess({24, 20, 8, 8}, DType::u8),
        ElementsAre(HasSubstr("a.npy: the axes of shape [24, 20, 8, 8] are a guess: TNHW, 20 sequences of 24 "
                              "frames; if not, --layout NTHW")));
    EXPECT_THAT(guess({24, 20, 8, 8}, DType::u8, "NTHW"), ElementsAre());
    EXPECT_THAT(guess({24, 3, 8, 8}, DType::f32), ElementsAre(HasSubstr("if not, --layout TCHW")));
    EXPECT_THAT(guess({24, 20, 8, 8, 3}, DType::u8),
                ElementsAre(HasSubstr("TNHWC, 20 sequences of 24 frames; if "
                                      "not, --layout NTHWC")));
    EXPECT_THAT(guess({24, 3, 20, 8, 8}, DType::f32),
                ElementsAre(HasSubstr("NTCHW, 3 frames of 20 channels; if not, --layout NCTHW")));
}

TEST(Sequences, DoubtfulAxesAreRefused) {
    const test::TemporaryFolder folder;
    const auto refusal = [&](const Shape& shape, DType dtype) {
        return error_of([&] { open_sequences(zeros(folder / "a.npy", shape, dtype)); });
    };
    EXPECT_THAT(
        refusal({2, 4, 8, 8, 1}, DType::f32),
        HasSubstr("a.npy: shape [2, 4, 8, 8, 1] looks as if the channels came last; give the order of the "
                  "axes, e.g. "
                  "--layout NTHWC (or NTCHW)"));
    EXPECT_THAT(refusal({2, 4, 8, 8, 3}, DType::f64), HasSubstr("--layout NTHWC"));
    EXPECT_THAT(refusal({20, 8, 8, 3}, DType::u8), HasSubstr("--layout THWC (or TNHW)"));
    EXPECT_EQ(open_sequences(zeros(folder / "a.npy", {2, 4, 8, 8, 1}, DType::f32), {.layout = "NTHWC"})
                  ->info()
                  .shape,
              (SequenceShape{4, 1, 8, 8}));
}

TEST(Sequences, HalfPrecisionIsRead) {
    for (const auto* name : {"h5py.h5:half", "h5py.h5:packed_half"}) {
        const auto reader = open_sequences(stored(name));
        EXPECT_THAT(read_all(*reader), testing::Pointwise(testing::FloatNear(5e-4F), expected(3, 2))) << name;
    }
}

/// An NPY file of float16, by hand.
std::string half_npy(const Shape& shape, const std::vector<std::uint16_t>& bits) {
    auto text = npy_header(shape, DType::f32);
    text.replace(text.find("<f4"), 3, "<f2");
    for (const auto value : bits) text += test::little_endian(value, 2);
    return text;
}

TEST(Sequences, HalfPrecisionOfNumPyIsRead) {
    const test::TemporaryFolder folder;
    const std::vector<std::uint16_t> bits{0x0000, 0x3c00, 0xc000, 0x7bff, 0x3555, 0x8001,
                                          0x03ff, 0x0400, 0x7c00, 0xfc00, 0x5bf8, 0xb800};
    const auto infinite = std::numeric_limits<float>::infinity();
    const std::vector<float> values{
        0, 1, -2, 65504, 0.333251953125F, -0x1p-24F, 0x1.ff8p-15F, 0x1p-14F, infinite, -infinite, 255, -0.5F};
    const auto whole = half_npy({2, 1, 1, 2, 3}, bits);
    write_text(folder / "a.npy", whole);
    ZipWriter zip(folder / "a.npz", "a.npz");
    zip.add("sequences.npy", whole);
    zip.finish();
    for (const auto* name : {"a.npy", "a.npz"}) {
        const auto reader = open_sequences(folder / name);
        EXPECT_EQ(reader->info().dtype, DType::f16);
        EXPECT_EQ(read_all(*reader), values) << name;
    }
    auto parts = values;
    for (auto& value : parts) value /= 255;
    write_text(folder / "b.npy", half_npy({1, 2, 2, 3}, bits));
    EXPECT_EQ(read_all(*open_sequences(folder / "b.npy")), parts);
    write_text(folder / "nan.npy", half_npy({1, 1, 1, 1, 2}, {0x7e00, 0xfc01}));
    EXPECT_THAT(read_all(*open_sequences(folder / "nan.npy")), testing::Each(testing::IsNan()));
    write_text(folder / "short.npy", whole.substr(0, whole.size() - 1));
    EXPECT_THAT(error_of([&] { open_sequences(folder / "short.npy"); }),
                AllOf(HasSubstr("short.npy: truncated: 23 bytes"), HasSubstr("has 24")));
}

TEST(Sequences, ChunksThatWereNeverWrittenAreRefused) {
    EXPECT_THAT(
        error_of([&] { open_sequences(stored("h5py.h5:packed_double")); }),
        HasSubstr("dataset 'packed_double': 8 of 16 chunks were never written, and no fill value is set"));
}

TEST(Sequences, SplitMarksRows) {
    for (const auto* file : {"h5py.h5", "stored.npz", "deflated.npz"}) {
        const auto reader = open_sequences(stored(file));
        EXPECT_THAT(reader->rows(Split::train), ElementsAre(0)) << file;
        EXPECT_THAT(reader->rows(Split::validation), ElementsAre(2)) << file;
        EXPECT_THAT(reader->rows(Split::test), ElementsAre(1)) << file;
    }
}

TEST(Sequences, UnmarkedRowsServeEverythingButValidation) {
    const auto reader = open_sequences(stored("ntchw_u8.npy"));
    EXPECT_THAT(reader->rows(Split::train), ElementsAre(0, 1, 2));
    EXPECT_THAT(reader->rows(Split::validation), ElementsAre());
    EXPECT_THAT(reader->rows(Split::test), ElementsAre(0, 1, 2));
}

TEST(Sequences, AttributesAreRead) {
    const auto info = open_sequences(stored("h5py.h5"))->info();
    EXPECT_EQ(info.fps, 12.5);
    EXPECT_EQ(info.attributes.at("source"), "made for tests");
    EXPECT_EQ(info.attributes.at("seed"), 7);
    EXPECT_EQ(info.attributes.at("size"), Json::parse("[5, 6]"));
}

/// More than an attribute of HDF5 holds.
Json long_settings() {
    Json parts = Json::array();
    for (int i = 0; i < 3000; ++i)
        parts.push_back({{"source", fmt::format("/a/long/path/to/clip {:04}.mp4", i)}, {"sequences", i}});
    return {{"source", "3000 sources"}, {"made_by", "stl import"}, {"parts", parts}};
}

TEST(Sequences, LongSettingsAreKept) {
    const test::TemporaryFolder folder;
    for (const std::string dataset : {"", "predictions/next"}) {
        const auto path = (folder / "a.h5").string();
        const auto name = dataset.empty() ? path : path + ":" + dataset;
        const auto writer =
            create_sequences(name, 2, {1, 1, 2, 2}, {.attributes = long_settings(), .force = true});
        writer->append(std::vector<std::uint8_t>(8, 1));
        writer->finish();
        const auto reader = open_sequences(name);
        EXPECT_EQ(reader->info().attributes, long_settings()) << name;
        EXPECT_EQ(reader->info().count, 2);
        EXPECT_EQ(open_sequences(path)->info().count, 2) << "the only one there is";
    }
}

TEST(Sequences, ADatasetNamedSettingsMayBeSomethingElse) {
    const test::TemporaryFolder folder;
    for (const auto* text : {"no JSON", "[1, 2]", "7"}) {
        const auto path = (folder / "a.h5").string();
        const auto writer =
            create_sequences(path, 2, {1, 1, 2, 2}, {.attributes = {{"seed", 7}}, .force = true});
        writer->append(std::vector<std::uint8_t>(8, 1));
        writer->finish();
        {
            const hdf5::Lock lock;
            const hdf5::Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
            const std::string_view bytes(text);
            hdf5::write_marks(file.get(), "settings",
                              {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, path);
        }
        EXPECT_EQ(open_sequences(path)->info().attributes, Json({{"seed", 7}})) << text;
    }
}

TEST(Sequences, ThreadsReadTogether) {
    for (const auto* file : {"h5py.h5", "tnhw_u8.npy"}) {
        const auto reader = open_sequences(stored(file));
        const auto whole = read_all(*reader);
        std::atomic<int> equal = 0;
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int k = 0; k < 20; ++k) equal += read_all(*reader) == whole;
            });
        }
        threads.clear();
        EXPECT_EQ(equal, 80) << file;
    }
}

TEST(Sequences, ColonsInPathsArePaths) {
    const test::TemporaryFolder folder;
    const auto odd = folder / "a:b.npy";
    fs::copy_file(stored("ntchw_u8.npy"), odd);
    EXPECT_EQ(open_sequences(odd.string())->info().count, 3);
    const auto h5 = folder / "x:y.h5";
    fs::copy_file(stored("h5py.h5"), h5);
    EXPECT_EQ(open_sequences(h5.string() + ":group/predictions")->info().count, 2);

    EXPECT_EQ(DataFile("new.h5:group/x").path, "new.h5");
    EXPECT_EQ(DataFile("new.h5:group/x").dataset, "group/x");
    EXPECT_EQ(DataFile("c:/new.mp4").path, "c:/new.mp4");
    EXPECT_EQ(DataFile("new.npy:a").path, "new.npy:a") << "which holds one array";
    EXPECT_EQ(DataFile(fs::path("new.h5:x")).path, "new.h5:x");
}

TEST(Sequences, NamesShowAsTheyWereWritten) {
    const std::vector<std::string> texts{"",  "a.h5",       "a.h5:group/x",     "c:/new.mp4",
                                         "-", "x:y.h5:a:b", stored("h5py.h5:z")};
    for (const auto& text : texts) EXPECT_EQ(DataFile(text).string(), text);
    EXPECT_TRUE(DataFile().empty());
    EXPECT_TRUE(same_file(stored("h5py.h5:a"), stored("h5py.h5")));
    EXPECT_FALSE(same_file(stored("h5py.h5"), stored("ntchw_u8.npy")));
    EXPECT_FALSE(same_file("missing.h5", "missing.h5"));
}

TEST(Sequences, EveryFormatIsFoundByNameAndBytes) {
    const test::TemporaryFolder folder;
    for (const auto& format : sequence_formats()) {
        SCOPED_TRACE(format.name);
        for (const auto& extension : format.extensions) {
            EXPECT_EQ(format_of_name("a" + extension), &format);
            EXPECT_TRUE(is_array_name("a" + extension));
        }
        write_text(folder / "a.dat", format.first_bytes);
        EXPECT_EQ(format_of_file(folder / "a.dat"), &format);
        if (!format.is_zip) {
            EXPECT_EQ(kind_of_file(folder / "a.dat"), FileKind::sequences);
        }
        write_text(folder / "b.dat", "PL" + std::string(format.first_bytes));
        EXPECT_EQ(format_of_file(folder / "b.dat"), nullptr);
        fs::remove(folder / "a.dat");
        fs::remove(folder / "b.dat");
    }
    EXPECT_EQ(format_of_name("a.nc"), nullptr);
    EXPECT_TRUE(is_array_name("a.NC"));
    EXPECT_FALSE(is_array_name("a.mp4"));
    const auto written = sequence_extensions(&SequenceFormat::writes);
    EXPECT_THAT(written, testing::IsSupersetOf({".h5", ".npy"}));
    for (const auto& extension : written) EXPECT_TRUE(format_of_name("a" + extension)->writes());
}

TEST(Sequences, EveryFormatCanWhatItSays) {
    const test::TemporaryFolder folder;
    const SequenceShape shape{2, 1, 4, 4};
    const std::vector<std::uint8_t> values(32, 7);
    for (const auto& format : sequence_formats()) {
        SCOPED_TRACE(format.name);
        const auto file = (folder / ("a" + format.extensions.front())).string();
        const auto refuses = [](const auto& action) {
            try {
                action();
            } catch (const Error&) {
                return true;
            }
            return false;
        };
        const auto refused = [&](const std::string& name, std::int64_t count) {
            return refuses([&] { create_sequences(name, count, shape, {}); });
        };
        EXPECT_EQ(refused(file, 1), !format.writes());
        if (!format.writes()) continue;
        EXPECT_EQ(refused(file, unknown_count), !format.streams);
        EXPECT_EQ(refused(file + ":a", 1), !format.named_arrays);
        const auto writer = create_sequences(file, 1, shape, {.attributes = {{"source", "test"}}});
        writer->append(values);
        const std::vector<Split> marks{Split::test};
        EXPECT_EQ(refuses([&] { writer->set_splits(marks); }), !format.attributes);
        writer->finish();
        const auto reader = open_sequences(file);
        EXPECT_EQ(reader->info().attributes.contains("source"), format.attributes);
        EXPECT_EQ(reader->rows(Split::test).size(), 1U);
        EXPECT_EQ(reader->rows(Split::train).empty(), format.attributes);
    }
}

TEST(Sequences, EveryFormatIsDocumented) {
    const auto text = read_text(fs::path(STL_SOURCE_DIR) / "docs/files.md");
    for (const auto& format : sequence_formats())
        EXPECT_THAT(text, HasSubstr(fmt::format("| {} | {} |", format.name, abilities(format))));
}

TEST(Sequences, ContentDecidesWhereTheNameSaysNothing) {
    const test::TemporaryFolder folder;
    for (const auto* file : {"ntchw_u8.npy", "stored.npz", "h5py.h5"}) {
        fs::copy_file(stored(file), folder / "data", fs::copy_options::overwrite_existing);
        EXPECT_EQ(open_sequences((folder / "data").string())->info().count, 3) << file;
    }
}

TEST(Sequences, RangesAreChecked) {
    for (const auto* file : {"h5py.h5", "ntchw_u8.npy"}) {
        const auto reader = open_sequences(stored(file));
        std::vector<float> room(2 * 4 * 2 * 5 * 6);
        EXPECT_THAT(error_of([&] { reader->read(2, 2, room); }),
                    HasSubstr("rows 2 to 4 requested, but there are 3 sequences"));
        EXPECT_THAT(error_of([&] { reader->read(-1, 2, room); }), HasSubstr("rows -1"));
        EXPECT_THAT(error_of([&] { reader->read(0, 1, room); }), HasSubstr("buffer for 480 values"));
    }
}

struct Refusal {
    std::string file;
    std::string layout;
    std::vector<std::string> says;
};

void PrintTo(const Refusal& r, std::ostream* out) {
    *out << r.file << " " << r.layout;
}

class RefusedSequences : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedSequences, SayWhyInOneLine) {
    const auto& p = GetParam();
    const auto message = error_of([&] { open_sequences(stored(p.file), {.layout = p.layout}); });
    for (const auto& part : p.says) EXPECT_THAT(message, HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(
    Files, RefusedSequences,
    testing::Values(
        Refusal{"missing.h5", "", {"missing.h5: no such file"}},
        Refusal{"missing.h5:x", "", {"missing.h5: no such file"}}, Refusal{"", "", {"is a folder"}},
        Refusal{"h5py.h5:sequence", "", {"h5py.h5: no dataset 'sequence' (did you mean 'sequences'?)"}},
        Refusal{"h5py.h5:group", "", {"h5py.h5", "group"}},
        Refusal{"stored.npz:sequenced", "", {"no array 'sequenced' (did you mean 'sequences'?)"}},
        Refusal{"ntchw_u8.npy:a", "", {"an NPY file holds one array"}},
        Refusal{"h5py.h5:gray", "", {"'gray'", "[3, 4, 5, 6] has 4 axes, expected [N,T,C,H,W]", "--layout"}},
        Refusal{"h5py.h5:flat", "", {"[5] has 1 axes"}},
        Refusal{"h5py.h5:none", "", {"[0, 4, 2, 5, 6] is empty"}},
        Refusal{"h5py.h5:text", "", {"holds neither integers nor floats"}},
        Refusal{"lzf.h5", "", {"lzf.h5: dataset 'sequences': packed by the filter 'lzf' (number 32000)"}},
        Refusal{"thw_u8.npy", "", {"[4, 5, 6] has 3 axes", "--layout THW"}},
        Refusal{"big_endian.npy", "", {"big-endian values ('>f4')"}},
        Refusal{"structured.npy", "", {"structured values"}},
        Refusal{"ntchw_u8.npy", "NTHW", {"5 axes, layout 'NTHW' has 4"}},
        Refusal{"ntchw_u8.npy", "NTTHW", {"layout 'NTTHW', expected the letters N T C H W once each"}},
        Refusal{"ntchw_u8.npy", "NTCHX", {"layout 'NTCHX'"}},
        Refusal{"ntchw_u8.npy", "NCHW", {"layout 'NCHW'"}}));

/// Every file, cut anywhere or with a byte changed, is read or refused with a line: never a crash.
class DamagedFiles : public testing::TestWithParam<std::string> {
  protected:
    void try_to_read(const std::string& bytes) {
        const auto path = folder_ / ("damaged" + fs::path(GetParam()).extension().string());
        test::write_bytes(path, bytes);
        try {
            const auto reader = open_sequences(path.string());
            if (reader->info().shape.elements() * reader->info().count < 100000) read_all(*reader);
            ++read_;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), AllOf(HasSubstr("damaged"), testing::Not(HasSubstr("\n"))));
            ++refused_;
        }
    }

    test::TemporaryFolder folder_;
    int read_ = 0;
    int refused_ = 0;
};

TEST_P(DamagedFiles, TruncatedOnesAreRefused) {
    const auto whole = read_text(stored(GetParam()));
    for (std::size_t size = 0; size < whole.size(); size += std::max<std::size_t>(1, whole.size() / 97)) {
        try_to_read(whole.substr(0, size));
    }
    EXPECT_EQ(read_, 0);
    EXPECT_GE(refused_, 90);
}

TEST_P(DamagedFiles, ChangedOnesAreReadOrRefused) {
    const auto whole = read_text(stored(GetParam()));
    for (std::size_t at = 0; at < whole.size(); at += std::max<std::size_t>(1, whole.size() / 499)) {
        auto bytes = whole;
        bytes[at] = static_cast<char>(~bytes[at]);
        try_to_read(bytes);
    }
    EXPECT_GT(refused_, 0);
    EXPECT_GT(read_, 0);
}

INSTANTIATE_TEST_SUITE_P(Files, DamagedFiles,
                         testing::Values("ntchw_u8.npy", "tnhw_f32.npy", "stored.npz", "deflated.npz",
                                         "h5py.h5"));

TEST(DamagedFile, SaysWhatIsWrong) {
    const test::TemporaryFolder folder;
    const auto message = [&](const std::string& name, const std::string& bytes) {
        test::write_bytes(folder / name, bytes);
        return error_of([&] { open_sequences((folder / name).string()); });
    };
    const auto npy = read_text(stored("ntchw_u8.npy"));
    const auto h5 = read_text(stored("h5py.h5"));
    const auto npz = read_text(stored("deflated.npz"));
    EXPECT_THAT(message("a.npy", ""), HasSubstr("a.npy: is empty, expected an NPY file"));
    EXPECT_THAT(message("a.npy", h5), HasSubstr("a.npy: not an NPY file"));
    EXPECT_THAT(message("a.npy", npy.substr(0, 500)), HasSubstr("truncated: 372 bytes of values"));
    EXPECT_THAT(message("a.npy", npy.substr(0, 50)), HasSubstr("truncated NPY header"));
    EXPECT_THAT(message("a.h5", ""), HasSubstr("a.h5: is empty, expected an HDF5 file"));
    EXPECT_THAT(message("a.h5", npy), HasSubstr("a.h5: not an HDF5 file"));
    EXPECT_THAT(message("a.h5", h5.substr(0, 5000)),
                AllOf(HasSubstr("a.h5: cannot be read as HDF5"), HasSubstr("truncated file")));
    EXPECT_THAT(message("a.npz", ""), HasSubstr("a.npz: is empty"));
    EXPECT_THAT(message("a.npz", npy), HasSubstr("a.npz: not a zip file"));
    EXPECT_THAT(message("a.npz", npz.substr(0, 900)), HasSubstr("a.npz: truncated zip file"));
    EXPECT_THAT(message("a.dat", "hello"), HasSubstr("neither HDF5 nor NPY nor NPZ"));
}

TEST(DamagedFile, ImpossibleSizesAreRefusedBeforeMemoryIsTaken) {
    const test::TemporaryFolder folder;
    const auto header = [&](const std::string& sizes) {
        auto text = "{'descr': '|u1', 'fortran_order': False, 'shape': (" + sizes + "), }\n";
        return std::string("\x93NUMPY\x01", 7) + std::string{'\0', static_cast<char>(text.size()), '\0'} +
               text;
    };
    test::write_bytes(folder / "a.npy", header("4294967296, 4294967296, 4, 4, 4"));
    EXPECT_THAT(error_of([&] { open_sequences((folder / "a.npy").string()); }),
                HasSubstr("impossible shape"));
    test::write_bytes(folder / "a.npy", header("1, 1000000, 1, 1000000, 100"));
    EXPECT_THAT(error_of([&] { open_sequences((folder / "a.npy").string()); }), HasSubstr("truncated"));
    test::write_bytes(folder / "a.npy", header("-1, 2, 3, 4, 5"));
    EXPECT_THAT(error_of([&] { open_sequences((folder / "a.npy").string()); }),
                HasSubstr("impossible shape"));
}

}  // namespace
}  // namespace stl
