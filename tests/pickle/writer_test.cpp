#include "stl/pickle/writer.h"

#include <limits>

#include "tests/pickle/support.h"

namespace stl::pickle {
namespace {

TEST(Writer, JsonReadsBackAsItWas) {
    const Json json{{"null", nullptr},
                    {"bools", {true, false}},
                    {"integers",
                     {0, -1, 255, 65536, std::numeric_limits<std::int64_t>::min(),
                      std::numeric_limits<std::int64_t>::max()}},
                    {"unsigned", std::numeric_limits<std::uint64_t>::max()},
                    {"reals", {0.1, -1e300, 0.0}},
                    {"text", "schön \n"},
                    {"empty", {{"list", Json::array()}, {"dict", Json::object()}}}};
    Writer writer;
    writer.json(json);
    const auto read = json_of(writer.finish());
    EXPECT_EQ(read.dump(), json.dump());
}

TEST(Writer, TensorsAreDense) {
    Writer writer;
    writer.tensor(DType::bf16, {2, 3, 4}, 7);
    const auto pickle = writer.finish();
    Arena arena;
    Machine machine(arena, bytes_of(pickle), [](const List& id) {
        EXPECT_EQ(*id.items[2].as<std::string_view>(), "7");
        EXPECT_EQ(*id.items[4].as<std::int64_t>(), 24);
        return StorageView{0, id.items[1].as<Global>()->dtype, 0, 24};
    });
    const auto value = machine.run();
    const auto* tensor = value.as<Tensor>();
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->dtype, DType::bf16);
    EXPECT_EQ(tensor->shape, (Shape{2, 3, 4}));
    EXPECT_EQ(tensor->strides, (Shape{12, 4, 1}));
}

}  // namespace
}  // namespace stl::pickle
