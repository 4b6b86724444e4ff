// ONNX files: what is written is read again, and what is none is refused.
#include "stl/onnx/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/core/error.h"
#include "tests/support/bytes.h"
#include "tests/support/checks.h"

namespace stl::onnx {
namespace {

using test::bytes_of;
using test::error_of;
using test::little_endian;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const std::string weight = little_endian(0x3f800000, 4) + little_endian(0x40000000, 4);  // 1 and 2

/// y = elu(x + w) twice
Model small_model() {
    return {.opset = 19,
            .inputs = {{"x", Type::float32, {{.size = 0, .symbol = "batch"}, {.size = 2}}}},
            .outputs = {{"y", Type::float16, {{.size = 7}}}},
            .tensors = {{"w", Type::float32, {2}, bytes_of(weight)}},
            .nodes = {{"a", "Add", {"x", "w"}, {"s"}},
                      {"b", "Elu", {"s"}, {"t"}, {{"alpha", 0.5F}}},
                      {"c",
                       "Elu",
                       {"t"},
                       {"y"},
                       {{"n", std::int64_t{-3}}, {"list", std::vector<std::int64_t>{4, 5}}}}},
            .metadata = {{"stl", "{}"}, {"a", "b"}}};
}

TEST(OnnxModel, IsReadAsItWasWritten) {
    const test::TemporaryFolder folder;
    write_model(folder / "a.onnx", small_model());
    const auto read = read_summary(folder / "a.onnx");
    EXPECT_EQ(read.opset, 19);
    EXPECT_EQ(read.producer, "stl");
    ASSERT_EQ(read.inputs.size(), 1U);
    EXPECT_EQ(read.inputs[0].name, "x");
    EXPECT_EQ(read.inputs[0].type, Type::float32);
    EXPECT_EQ(to_string(read.inputs[0].shape), "[batch, 2]");
    ASSERT_EQ(read.outputs.size(), 1U);
    EXPECT_EQ(read.outputs[0].name, "y");
    EXPECT_EQ(read.outputs[0].type, Type::float16);
    EXPECT_EQ(to_string(read.outputs[0].shape), "[7]");
    EXPECT_THAT(read.operations, ElementsAre(Pair("Add", 1), Pair("Elu", 2)));
    EXPECT_EQ(read.tensors, 1);
    EXPECT_EQ(read.tensor_bytes, 8U);
    EXPECT_THAT(read.metadata, ElementsAre(Pair("a", "b"), Pair("stl", "{}")));
}

template <std::size_t size>
auto has_bytes(const char (&bytes)[size]) {
    return HasSubstr(std::string(bytes, size - 1));
}

/// As onnx 1.23 encodes the same nodes and tensor in Python.
TEST(OnnxModel, HasTheBytesOfOnnxsOwn) {
    const test::TemporaryFolder folder;
    write_model(folder / "a.onnx", small_model());
    const auto bytes = read_text(folder / "a.onnx");
    EXPECT_THAT(bytes, has_bytes("\x0a\x01s\x12\x01t\x1a\x01"
                                 "b\"\x03"
                                 "Elu*\x0f\x0a\x05"
                                 "alpha\x15\x00\x00\x00\x3f\xa0\x01\x01"));
    EXPECT_THAT(bytes, has_bytes("\x0a\x04list@\x04@\x05\xa0\x01\x07"));
    EXPECT_THAT(bytes, has_bytes("\x0a\x01n\x18\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01\xa0\x01\x02"));
    EXPECT_THAT(bytes, has_bytes("\x08\x02\x10\x01"
                                 "B\x01wJ\x08\x00\x00\x80\x3f\x00\x00\x00\x40"));
}

TEST(OnnxModel, OverTwoGibibytesIsRefusedBeforeAnythingIsWritten) {
    const test::TemporaryFolder folder;
    auto model = small_model();
    // Never looked at.
    model.tensors[0].bytes = {model.tensors[0].bytes.data(), std::size_t{1} << 31};
    EXPECT_THAT(error_of([&] { write_model(folder / "a.onnx", model); }),
                HasSubstr("a.onnx: 2.0 GiB of weights do not fit an ONNX file"));
    EXPECT_TRUE(folder.files().empty());
}

TEST(OnnxModel, AFileThatIsThereStaysUnlessItIsReplaced) {
    const test::TemporaryFolder folder;
    write_text(folder / "a.onnx", "mine");
    EXPECT_THAT(error_of([&] { write_model(folder / "a.onnx", small_model(), /*replace=*/false); }),
                HasSubstr("exists already"));
    EXPECT_EQ(read_text(folder / "a.onnx"), "mine");
}

TEST(OnnxModel, WhatIsNoneIsRefused) {
    const test::TemporaryFolder folder;
    write_model(folder / "a.onnx", small_model());
    const auto bytes = read_text(folder / "a.onnx");
    for (const auto size : {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
        write_text(folder / "cut.onnx", bytes.substr(0, size));
        EXPECT_THAT(error_of([&] { read_summary(folder / "cut.onnx"); }),
                    HasSubstr("cut.onnx: not an ONNX file, or a damaged one"))
            << size;
    }
    write_text(folder / "b.onnx", "{\"dataset\": {}}");
    EXPECT_THAT(error_of([&] { read_summary(folder / "b.onnx"); }), HasSubstr("it is a JSON file"));
    EXPECT_THAT(error_of([&] { read_summary(folder / "none.onnx"); }), HasSubstr("none.onnx"));
}

}  // namespace
}  // namespace stl::onnx
