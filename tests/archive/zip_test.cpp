#include "stl/archive/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/support/bytes.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using test::bytes_of;
using test::error_of;
using test::little_endian;
using test::TemporaryFolder;

using ::testing::HasSubstr;

std::string written(const TemporaryFolder& folder,
                    const std::vector<std::pair<std::string, std::string>>& entries) {
    ZipWriter writer(folder / "a.zip", "a.zip");
    for (const auto& [name, content] : entries) writer.add(name, content);
    writer.finish();
    return read_text(folder / "a.zip");
}

std::string content_of(const ZipReader& zip, const std::string& name) {
    std::vector<std::byte> buffer;
    const auto* entry = zip.find(name);
    if (entry == nullptr) return "(missing)";
    const auto bytes = zip.read(*entry, buffer);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// An archive of one entry "a" by hand. `zip64`: sizes and offsets stand in the extra fields.
std::string by_hand(const std::string& packed, std::uint32_t crc, std::uint64_t size, int method,
                    bool zip64 = false, int flags = 0) {
    const auto fixed = [&](std::uint64_t value) { return little_endian(zip64 ? 0xffffffff : value, 4); };
    const auto common = little_endian(45, 2) + little_endian(flags, 2) + little_endian(method, 2) +
                        little_endian(0, 4) + little_endian(crc, 4) + fixed(packed.size()) + fixed(size) +
                        little_endian(1, 2);
    const auto sizes = little_endian(size, 8) + little_endian(packed.size(), 8);
    const auto local_extra = zip64 ? little_endian(1, 2) + little_endian(16, 2) + sizes : "";
    auto file = "PK\x03\x04" + common + little_endian(local_extra.size(), 2) + "a" + local_extra + packed;
    const auto extra = zip64 ? little_endian(1, 2) + little_endian(24, 2) + sizes + little_endian(0, 8) : "";
    const auto directory = "PK\x01\x02" + little_endian(45, 2) + common + little_endian(extra.size(), 2) +
                           little_endian(0, 2) + little_endian(0, 2) + little_endian(0, 2) +
                           little_endian(0, 4) + fixed(0) + "a" + extra;
    const auto start = file.size();
    file += directory;
    if (zip64) {
        const auto record = file.size();
        file += "PK\x06\x06" + little_endian(44, 8) + little_endian(45, 2) + little_endian(45, 2) +
                little_endian(0, 8) + little_endian(1, 8) + little_endian(1, 8) +
                little_endian(directory.size(), 8) + little_endian(start, 8);
        file += "PK\x06\x07" + little_endian(0, 4) + little_endian(record, 8) + little_endian(1, 4);
    }
    return file + "PK\x05\x06" + little_endian(0, 4) + little_endian(1, 2) + little_endian(1, 2) +
           fixed(directory.size()) + fixed(start) + little_endian(0, 2);
}

std::string deflated(const std::string& text) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::uint32_t crc(const std::string& text) {
    return crc32_of(bytes_of(text));
}

TEST(Zip, WhatIsWrittenReadsBackAligned) {
    const TemporaryFolder folder;
    const auto file = written(folder, {{"a", "first"}, {"folder/b", std::string(1000, 'x')}, {"empty", ""}});
    const ZipReader zip(bytes_of(file));
    EXPECT_EQ(zip.entries().size(), 3u);
    EXPECT_EQ(content_of(zip, "a"), "first");
    EXPECT_EQ(content_of(zip, "folder/b"), std::string(1000, 'x'));
    EXPECT_EQ(content_of(zip, "empty"), "");
    EXPECT_EQ(zip.find("c"), nullptr);
    for (const auto& entry : zip.entries()) EXPECT_EQ(entry.offset % 64, 0u) << entry.name;
}

TEST(Zip, MoreThan65535EntriesNeedZip64) {
    const TemporaryFolder folder;
    std::vector<std::pair<std::string, std::string>> entries;
    for (int i = 0; i < 70'000; ++i) entries.emplace_back(std::to_string(i), i % 7 ? "" : "x");
    const auto file = written(folder, entries);
    const ZipReader zip(bytes_of(file));
    EXPECT_EQ(zip.entries().size(), 70'000u);
    EXPECT_EQ(content_of(zip, "69993"), "x");
}

TEST(Zip, ReadsStoredDeflatedAndZip64) {
    const std::string content(5000, 'z');
    for (const bool zip64 : {false, true}) {
        const auto stored = by_hand(content, crc(content), content.size(), 0, zip64);
        EXPECT_EQ(content_of(ZipReader(bytes_of(stored)), "a"), content);
        const auto packed = by_hand(deflated(content), crc(content), content.size(), 8, zip64);
        EXPECT_EQ(content_of(ZipReader(bytes_of(packed)), "a"), content);
    }
}

TEST(Zip, ChecksTheChecksumUnlessThereIsNone) {
    const auto wrong = by_hand("content", crc("other"), 7, 0);
    EXPECT_THAT(error_of([&] { content_of(ZipReader(bytes_of(wrong)), "a"); }), HasSubstr("checksum"));
    EXPECT_EQ(content_of(ZipReader(bytes_of(by_hand("content", 0, 7, 0))), "a"), "content");
}

TEST(Zip, RefusesWhatItCannotRead) {
    const auto refusal = [](const std::string& file) {
        return error_of([&] { content_of(ZipReader(bytes_of(file)), "a"); });
    };
    EXPECT_THAT(refusal(""), HasSubstr("not a zip file"));
    const auto good = by_hand("content", crc("content"), 7, 0);
    EXPECT_THAT(refusal(good.substr(1)), HasSubstr("damaged zip file"));
    EXPECT_THAT(refusal(good.substr(0, good.size() - 1)), HasSubstr("truncated"));
    EXPECT_THAT(refusal(by_hand("content", 0, 7, 12)), HasSubstr("method 12"));
    EXPECT_THAT(refusal(by_hand("content", 0, 7, 0, false, 1)), HasSubstr("encrypted"));
    EXPECT_THAT(refusal(by_hand("content", 0, 8, 0)),
                HasSubstr("a stored entry has 7 compressed but 8 uncompressed bytes"));
    EXPECT_THAT(refusal(by_hand(deflated("content"), 0, 8, 8)), HasSubstr("can't be inflated"));
    EXPECT_THAT(refusal(by_hand(deflated("content"), 0, 6, 8)), HasSubstr("can't be inflated"));
    EXPECT_THAT(refusal(by_hand("garbage", 0, 7, 8)), HasSubstr("can't be inflated"));
    // Sizes that no deflated data can have are refused before memory is taken.
    EXPECT_THAT(refusal(by_hand(deflated("content"), 0, std::uint64_t{1} << 50, 8, true)),
                HasSubstr("damaged zip file"));
    EXPECT_THAT(refusal(by_hand("content", 0, ~std::uint64_t{0}, 0, true)), HasSubstr("damaged zip file"));
}

TEST(Zip, EntriesThatOverlapAreRefused) {
    const TemporaryFolder folder;
    auto file = written(folder, {{"a", std::string(5000, 'a')}, {"b", std::string(5000, 'b')}});
    EXPECT_NO_THROW(ZipReader(bytes_of(file)));
    const auto second = file.rfind("PK\x01\x02");
    constexpr std::size_t place_of_offset = 42;
    file.replace(second + place_of_offset, 4, 4, '\0');  // where the first one lies
    EXPECT_THAT(error_of([&] { ZipReader(bytes_of(file)); }), HasSubstr("two entries overlap"));
}

}  // namespace
}  // namespace stl
