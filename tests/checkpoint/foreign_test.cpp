// What others store around the weights, and what they call it.

#include "stl/pickle/safetensors.h"
#include "tests/checkpoint/support.h"

namespace stl {
namespace {

using ::testing::HasSubstr;

/// The epoch that is read where a .pth says so.
std::int64_t epoch_of(const std::function<void(pickle::Writer&)>& write) {
    const TemporaryFolder folder;
    const auto checkpoint = read_checkpoint(made_by_hand(folder, [&](pickle::Writer& out) {
        write_weights(out, "state_dict", {"a.weight"});
        out.text("epoch");
        write(out);
    }));
    EXPECT_EQ(checkpoint.state.size(), 1u);
    return checkpoint.epoch;
}

TEST(Foreign, AnEpochThatIsNoWholeNumberIsPassedOver) {
    const auto of_json = [](const Json& value) {
        return epoch_of([&](pickle::Writer& out) { out.json(value); });
    };
    EXPECT_EQ(of_json(3), 3);
    EXPECT_EQ(of_json(3.0), 3);
    EXPECT_EQ(of_json("3"), 0);
    EXPECT_EQ(of_json(true), 0);
    EXPECT_EQ(of_json(2.5), 0);
    EXPECT_EQ(of_json(1e300), 0);
    EXPECT_EQ(of_json(std::numeric_limits<double>::quiet_NaN()), 0);
    EXPECT_EQ(of_json({{"best", 3}}), 0);
    EXPECT_EQ(epoch_of([](pickle::Writer& out) { out.tensor(DType::i64, {}, 0); }), 0);
    EXPECT_EQ(epoch_of([](pickle::Writer& out) { out.tensor(DType::f32, {2}, 0); }), 0);
}

fs::path with_metadata(const TemporaryFolder& folder, const std::map<std::string, std::string>& metadata) {
    const auto path = folder / "a.safetensors";
    const std::string zeros(8, '\0');
    pickle::write_safetensors(
        path, "a",
        {{"a.weight", DType::f32, {2}, [&](const auto& sink) { sink(std::as_bytes(std::span(zeros))); }}},
        metadata);
    return path;
}

TEST(Foreign, MetadataOfOthersIsPassedOverAndOursIsStrict) {
    const TemporaryFolder folder;
    const auto epoch_of = [&](const std::string& text) {
        const auto checkpoint =
            read_checkpoint(with_metadata(folder, {{"epoch", text}, {"notes", "{not JSON"}}));
        EXPECT_EQ(checkpoint.state.size(), 1u);
        return checkpoint.epoch;
    };
    EXPECT_EQ(epoch_of("12"), 12);
    for (const auto* text : {"twelve", "", "12 of 20", "1.5", "{", "18446744073709551616"})
        EXPECT_EQ(epoch_of(text), 0) << text;
    EXPECT_THAT(error_of([&] {
                    read_checkpoint(with_metadata(folder, {{"stl", "{\"step\": "}}));
                }),
                HasSubstr("a.safetensors: __metadata__.stl: "));
}

}  // namespace
}  // namespace stl
