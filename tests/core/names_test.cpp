// Nearest names and sizes, for messages that help.
#include "stl/core/names.h"

#include <gtest/gtest.h>

#include <vector>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl {
namespace {

const std::vector<std::string> translators{"moganet", "gsta", "vit", "swin"};

TEST(Names, NearestOnesAreFound) {
    EXPECT_EQ(nearest_name("mogant", translators), "moganet");
    EXPECT_EQ(nearest_name("SWIN", translators), "swin");
    EXPECT_EQ(nearest_name("vitt", translators), "vit");
    EXPECT_EQ(nearest_name("transformer", translators), "");
    EXPECT_EQ(nearest_name("tarin", std::vector<std::string>{"train"}), "train");
    EXPECT_EQ(nearest_name("corp", std::vector<std::string>{"stretch", "crop"}), "crop");
    EXPECT_EQ(nearest_name("ab", std::vector<std::string>{"ba"}), "ba");
    EXPECT_EQ(nearest_name("path", std::vector<std::string>{"batch"}), "");
    EXPECT_EQ(nearest_name("out", std::vector<std::string>{"fit"}), "");
}

TEST(Names, SuggestionsEndAMessage) {
    EXPECT_EQ(did_you_mean("gst", translators), " (did you mean 'gsta'?)");
    EXPECT_EQ(did_you_mean("transformer", translators), " (expected one of moganet, gsta, vit, swin)");
    EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(Names, OfManyTheNearestAreListed) {
    std::vector<std::string> many;
    for (int i = 100; i < 300; ++i) many.push_back("dataset" + std::to_string(i));
    many.emplace_back("xyq");
    EXPECT_EQ(did_you_mean("xyzzyxyzzy", many).find("(expected one of xyq, dataset100, "), 1U);
    const auto text = did_you_mean("xyzzyxyzzy", many);
    EXPECT_TRUE(text.ends_with("dataset108 and 191 more)")) << text;
}

TEST(Names, ThingsAreCounted) {
    EXPECT_EQ(counted(1, "sequence"), "1 sequence");
    EXPECT_EQ(counted(0, "sequence"), "0 sequences");
}

TEST(Array, CountsAndNames) {
    EXPECT_EQ(element_count({2, 3, 4}, "x"), 24);
    EXPECT_EQ(element_count({}, "x"), 1);
    EXPECT_THROW(element_count({2, -1}, "x"), Error);
    EXPECT_THROW(element_count({std::int64_t{1} << 40, std::int64_t{1} << 40}, "x"), Error);
    EXPECT_EQ(to_string(Shape{10, 1, 64}), "[10, 1, 64]");
    EXPECT_EQ(bytes_text(17), "17 bytes");
    EXPECT_EQ(bytes_text(4096), "4.0 KiB");
    EXPECT_EQ(bytes_text(std::uint64_t{3} << 29), "1.5 GiB");
    EXPECT_EQ(dtype_size(DType::bf16), 2U);
}

TEST(Array, MemoryThatIsNotThereIsRefused) {
    EXPECT_NO_THROW(require_memory(1000, "x"));
    EXPECT_THROW(require_memory(std::uint64_t{1} << 60, "x"), Error);
}

TEST(Names, AreListed) {
    using Names = std::vector<std::string>;
    EXPECT_EQ(listed(Names{}, "or"), "");
    EXPECT_EQ(listed(Names{"a"}, "or"), "a");
    EXPECT_EQ(listed(Names{"a", "b"}, "or"), "a or b");
    EXPECT_EQ(listed(Names{"a", "b", "c"}, "and"), "a, b and c");
}

}  // namespace
}  // namespace stl
