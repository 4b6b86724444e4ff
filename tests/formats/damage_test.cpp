// What is written is never read back damaged in silence: whichever byte of a file is another one.
#include <numeric>

#include "stl/formats/hdf5_check.h"
#include "stl/formats/hdf5_windows.h"
#include "stl/formats/sequences.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using test::read_all;
using test::write_bytes;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr SequenceShape shape{3, 1, 6, 5};
constexpr std::int64_t count = 6;
const std::vector<Split> splits{Split::train,      Split::test,  Split::train,
                                Split::validation, Split::train, Split::test};

std::vector<std::uint8_t> values() {
    std::vector<std::uint8_t> all(static_cast<std::size_t>(count * shape.elements()));
    std::iota(all.begin(), all.end(), std::uint8_t{1});
    return all;
}

WriteOptions options(int compression) {
    return {.fps = 12.5,
            .attributes = {{"source", "a clip"}, {"seed", 3}, {"mean", 0.5}, {"std", 0.25}},
            .compression = compression};
}

void write_sequences(const fs::path& file, int compression) {
    const auto writer = create_sequences(file.string(), count, shape, options(compression));
    writer->append(values());
    writer->set_splits(splits);
    writer->finish();
}

void write_windows(const fs::path& file, int compression) {
    WindowWriter writer(file, shape, options(compression));
    writer.append(values());
    for (std::int64_t i = 0; i < count; ++i) writer.add_window(2 * i, splits[static_cast<std::size_t>(i)]);
    writer.finish();
}

/// All that a reader tells of a file.
struct Contents {
    std::vector<float> values;
    std::vector<std::int64_t> train, test;
    double fps;
    Json attributes;
    bool operator==(const Contents&) const = default;
};

Contents contents(const fs::path& file) {
    const auto reader = open_sequences(file.string());
    const auto& info = reader->info();
    return {read_all(*reader), reader->rows(Split::train), reader->rows(Split::test), info.fps,
            info.attributes};
}

class Damage : public testing::TestWithParam<std::tuple<bool, int>> {};

TEST_P(Damage, IsAnErrorOrChangesNothing) {
    const auto [windows, compression] = GetParam();
    const test::TemporaryFolder folder;
    const auto file = folder / "a.h5";
    (windows ? write_windows : write_sequences)(file, compression);
    const auto whole = contents(file);
    const auto bytes = read_text(file);
    const auto shown = [&](std::size_t at) { return fmt::format("byte {} of {}", at, bytes.size()); };
    int found = 0, harmless = 0;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        auto other = bytes;
        other[at] = static_cast<char>(other[at] ^ (1 << at % 8));
        write_bytes(file, other);
        try {
            EXPECT_EQ(contents(file), whole) << shown(at);
            ++harmless;
        } catch (const Error&) {
            ++found;
        }
    }
    EXPECT_GT(found, harmless / 4) << "the rest is room that nothing uses";
}

INSTANTIATE_TEST_SUITE_P(All, Damage, testing::Combine(testing::Bool(), testing::Values(0, 4)));

TEST(Hdf5Check, TellsWhichRowsAreDamaged) {
    const test::TemporaryFolder folder;
    const auto file = folder / "a.h5";
    write_sequences(file, 0);
    Reporter silent;
    auto check = check_hdf5(file, silent);
    EXPECT_TRUE(check.has_checksums);
    ASSERT_EQ(check.datasets.size(), 2U);
    EXPECT_EQ(check.datasets[0].name, "sequences");
    EXPECT_EQ(check.datasets[0].rows, count);
    EXPECT_TRUE(check.datasets[0].has_checksums);
    EXPECT_THAT(check.datasets[0].damaged, testing::IsEmpty());
    auto bytes = read_text(file);
    const auto all = values();
    const auto row = static_cast<std::size_t>(shape.elements());
    const std::string third(all.begin() + static_cast<std::ptrdiff_t>(2 * row),
                            all.begin() + static_cast<std::ptrdiff_t>(3 * row));
    const auto place = bytes.find(third);
    ASSERT_NE(place, bytes.npos);
    bytes[place + 7] ^= 1;
    write_bytes(file, bytes);
    check = check_hdf5(file, silent);
    EXPECT_THAT(check.datasets[0].damaged, ElementsAre(2));
    EXPECT_THAT(check.datasets[1].damaged, testing::IsEmpty());
    EXPECT_THAT(error_of([&] { read_all(*open_sequences(file.string())); }), HasSubstr("damaged chunk"));
    std::vector<float> fourth(row);
    EXPECT_NO_THROW(open_sequences(file.string())->read(3, 1, fourth)) << "the others can be read";
}

TEST(Npy, AFileThatIsCutShortWhileItIsReadIsNoticed) {
    const test::TemporaryFolder folder;
    const auto file = folder / "a.npy";
    const auto writer = create_sequences(file.string(), count, shape, {});
    writer->append(values());
    writer->finish();
    const auto reader = open_sequences(file.string());
    EXPECT_NO_THROW(read_all(*reader));
    fs::resize_file(file, fs::file_size(file) - 10);  // the rest of its page reads as zeros
    EXPECT_THAT(error_of([&] { read_all(*reader); }), HasSubstr("a.npy: cut short while it was being read"));
}

}  // namespace
}  // namespace stl
