#include "stl/pickle/safetensors.h"

#include "tests/pickle/support.h"

namespace stl::pickle {
namespace {

using ::testing::HasSubstr;

fs::path file_of(const TemporaryFolder& folder, const std::string& header, const std::string& data) {
    const auto path = folder / "a.safetensors";
    write_text(path, little_endian(header.size(), 8) + header + data);
    return path;
}

std::string refusal(const std::string& header, const std::string& data) {
    const TemporaryFolder folder;
    return error_of([&] { SafeTensors file(file_of(folder, header, data)); });
}

SafeTensorToWrite whole(const std::string& name, DType dtype, const Shape& shape, const std::string& bytes) {
    return {name, dtype, shape, [bytes](const auto& sink) { sink(bytes_of(bytes)); }};
}

TEST(SafeTensors, WhatIsWrittenReadsBackInItsOrder) {
    const TemporaryFolder folder;
    const auto path = folder / "b.safetensors";
    write_safetensors(path, "b",
                      {whole("z", DType::bf16, {3}, "abcdef"), whole("a", DType::i64, {}, "12345678"),
                       whole("e", DType::f32, {0, 2}, "")},
                      {{"stl", "{\"x\": 1}"}});
    const SafeTensors file(path);
    ASSERT_EQ(file.tensors.size(), 3u);
    EXPECT_EQ(file.tensors[0].name, "z");
    EXPECT_EQ(file.tensors[0].shape, Shape{3});
    EXPECT_EQ(file.tensors[0].dtype, DType::bf16);
    EXPECT_EQ(file.tensors[1].name, "a");
    EXPECT_EQ(std::memcmp(file.tensors[0].bytes.data(), "abcdef", 6), 0);
    EXPECT_EQ(std::memcmp(file.tensors[1].bytes.data(), "12345678", 8), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.tensors[1].bytes.data()) % 8, 0u);
    EXPECT_EQ(file.metadata.at("stl"), "{\"x\": 1}");
}

std::string digested(const fs::path& path) {
    write_safetensors(path, "b",
                      {whole("z", DType::bf16, {3}, "abcdef"), whole("a", DType::i64, {}, "12345678")},
                      {{"stl", "{\"x\": 1}"}, {"format", "pt"}});
    return read_text(path);
}

TEST(SafeTensors, NoByteIsAnotherOneInSilence) {
    const TemporaryFolder folder;
    const auto path = folder / "b.safetensors";
    const auto bytes = digested(path);
    EXPECT_THAT(bytes, HasSubstr("stl_digests"));
    const SafeTensors good(path);
    const std::map<std::string, std::string> metadata{{"stl", "{\"x\": 1}"}, {"format", "pt"}};
    EXPECT_EQ(good.metadata, metadata) << "digests are not the user's";
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        auto other = bytes;
        other[at] = static_cast<char>(other[at] ^ (1 << at % 8));
        write_text(path, other);
        try {
            const SafeTensors file(path);
            if (!std::ranges::all_of(file.tensors, &SafeTensor::whole)) continue;
            // The name of the digests themselves, or spaces.
            ASSERT_EQ(file.tensors.size(), 2U) << at;
            EXPECT_EQ(std::memcmp(file.tensors[0].bytes.data(), "abcdef", 6), 0) << at;
            EXPECT_EQ(std::memcmp(file.tensors[1].bytes.data(), "12345678", 8), 0) << at;
            EXPECT_EQ(file.tensors[0].dtype, DType::bf16) << at;
            for (const auto& [key, value] : metadata) EXPECT_EQ(file.metadata.at(key), value) << at;
        } catch (const Error&) {
        }
    }
}

TEST(SafeTensors, AnotherProgramMayWriteTheHeaderAnew) {
    const TemporaryFolder folder;
    const auto path = folder / "b.safetensors";
    const auto bytes = digested(path);
    std::size_t size = 0;
    std::memcpy(&size, bytes.data(), 8);
    const auto header = nlohmann::json::parse(bytes.substr(8, size));  // keys in the order of the alphabet
    const auto text = header.dump(2);
    write_text(path, little_endian(text.size(), 8) + text + bytes.substr(8 + size));
    const SafeTensors file(path);
    EXPECT_TRUE(std::ranges::all_of(file.tensors, &SafeTensor::whole));
    EXPECT_TRUE(file.tensors[0].digest.has_value());
}

TEST(SafeTensors, RefusesDamage) {
    EXPECT_THAT(refusal("[]", ""), HasSubstr("header: expected"));
    EXPECT_THAT(refusal("{\"a\": {\"dtype\": {}}}", ""), HasSubstr("a.dtype: expected"));
    EXPECT_THAT(refusal("{", ""), HasSubstr("not valid JSON"));
    EXPECT_THAT(refusal(std::string(1000, '['), ""), HasSubstr("header: expected"));
    EXPECT_THAT(refusal(R"({"a": 1})", ""), HasSubstr("header: expected"));
    EXPECT_THAT(refusal(R"({"a": {}})", ""), HasSubstr("a: expected dtype"));
    EXPECT_THAT(refusal(R"({"a": {"dtype": "F32", "shape": [1], "x": 1}})", ""), HasSubstr("a.x: expected"));
    EXPECT_THAT(refusal(R"({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}})", "a"),
                HasSubstr("F8_E4M3"));
    EXPECT_THAT(refusal(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})", "abcd"),
                HasSubstr("truncated"));
    EXPECT_THAT(refusal(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 0]}})", "abcdefgh"),
                HasSubstr("outside the file"));
    EXPECT_THAT(refusal(R"({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}})", "abcdefgh"),
                HasSubstr("8 bytes for shape [3]"));
    EXPECT_THAT(refusal(R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]}})", "abcdefgh"),
                HasSubstr("numbers from 0"));
    EXPECT_THAT(
        refusal(R"({"a": {"dtype": "F64", "shape": [4611686018427387904], "data_offsets": [0, 0]}})", ""),
        HasSubstr("impossible shape"));
    EXPECT_THAT(refusal(R"({"a": {"dtype": "U8"}, "a": {}})", ""), HasSubstr("stands twice"));
    EXPECT_THAT(refusal(R"({"__metadata__": {"a": 1}})", ""), HasSubstr("__metadata__.a: expected a string"));
    const TemporaryFolder folder;
    write_text(folder / "short", "abc");
    EXPECT_THAT(error_of([&] { SafeTensors file(folder / "short"); }), HasSubstr("3 bytes"));
    write_text(folder / "long", little_endian(1ull << 60, 8) + "{}");
    EXPECT_THAT(error_of([&] { SafeTensors file(folder / "long"); }), HasSubstr("truncated"));
}

TEST(SafeTensors, AHeaderOfVeryManyNamesIsReadInTime) {
    // Two hundred thousand names, each looked up once: a quadratic reader would take minutes.
    std::string header = "{";
    for (int i = 0; i < 200'000; ++i) {
        header += (i ? "," : "") + ("\"n" + std::to_string(i)) +
                  R"(":{"dtype":"U8","shape":[],"data_offsets":[0,1]})";
    }
    const TemporaryFolder folder;
    const SafeTensors file(file_of(folder, header + "}", "x"));
    EXPECT_EQ(file.tensors.size(), 200'000u);
}

}  // namespace
}  // namespace stl::pickle
