// Training sequences cut, mirrored and reversed: every frame of a sequence alike, a function of its number.
#include "stl/data/augment.h"

#include <map>
#include <set>

#include "stl/data/registry.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::HasSubstr;

constexpr SequenceShape whole{4, 2, 6, 8};

/// Every value tells where it stands: 1000 t + 100 c + 10 y + x.
float value_at(std::int64_t t, std::int64_t c, std::int64_t y, std::int64_t x) {
    return static_cast<float>(1000 * t + 100 * c + 10 * y + x);
}

class AugmentTest : public testing::Test {
  protected:
    void SetUp() override {
        const auto writer = create_sequences(file_, 3, whole, {.dtype = DType::f32});
        std::vector<float> row;
        for (std::int64_t t = 0; t < 4; ++t) {
            for (std::int64_t c = 0; c < 2; ++c) {
                for (std::int64_t i = 0; i < 48; ++i) row.push_back(value_at(t, c, i / 8, i % 8));
            }
        }
        for (int n = 0; n < 3; ++n) writer->append(row);
        writer->finish();
    }
    DatasetOptions options(const std::string& augment) const {
        const auto json = fmt::format(
            R"({{"name": "file", "path": "{}", "test_path": "{}", "input_frames": 2, "output_frames": 2{}}})",
            file_, file_, augment.empty() ? "" : ", \"augment\": " + augment);
        return DatasetOptions::from_json(parse_json(json, "a.json"), "a.json: dataset");
    }
    std::unique_ptr<Dataset> open(const std::string& augment, Split split = Split::train,
                                  std::uint64_t seed = 1) const {
        return make_dataset(options(augment), split, seed);
    }

    test::TemporaryFolder folder_;
    std::string file_ = (folder_ / "a.h5").string();
};

std::vector<float> fetch(const Dataset& data, std::int64_t epoch, std::int64_t index) {
    std::vector<float> out(static_cast<std::size_t>(data.shape().elements()), -1);
    data.fetch(epoch, index, out);
    return out;
}

/// How a fetched sequence was shown, read off its values, which all must agree.
struct Shown {
    std::int64_t top, left;
    bool horizontal, vertical, reverse;
    auto operator<=>(const Shown&) const = default;
};
Shown shown(const Dataset& data, std::int64_t epoch, std::int64_t index) {
    const auto values = fetch(data, epoch, index);
    const auto shape = data.shape();
    const auto at = [&](std::int64_t t, std::int64_t c, std::int64_t y, std::int64_t x) {
        return values[static_cast<std::size_t>(((t * 2 + c) * shape.height + y) * shape.width + x)];
    };
    const auto corner = static_cast<int>(at(0, 0, 0, 0)), opposite = static_cast<int>(at(0, 0, 1, 1));
    Shown s{};
    s.reverse = corner / 1000 == 3;
    s.horizontal = opposite % 10 < corner % 10;
    s.vertical = opposite / 10 % 10 < corner / 10 % 10;
    s.left = s.horizontal ? corner % 10 - shape.width + 1 : corner % 10;
    s.top = s.vertical ? corner / 10 % 10 - shape.height + 1 : corner / 10 % 10;
    for (std::int64_t t = 0; t < 4; ++t) {
        for (std::int64_t i = 0; i < 2 * shape.height * shape.width; ++i) {
            const auto c = i / (shape.height * shape.width), y = i / shape.width % shape.height,
                       x = i % shape.width;
            EXPECT_EQ(at(t, c, y, x),
                      value_at(s.reverse ? 3 - t : t, c, s.top + (s.vertical ? shape.height - 1 - y : y),
                               s.left + (s.horizontal ? shape.width - 1 - x : x)));
        }
    }
    return s;
}

TEST_F(AugmentTest, EveryFrameOfASequenceIsShownAlike) {
    const auto data = open(R"({"crop": [3, 5], "flip": "both", "reverse": true})");
    EXPECT_EQ(data->shape(), (SequenceShape{4, 2, 3, 5}));
    std::set<std::int64_t> tops, lefts;
    int mirrored = 0, upside_down = 0, backwards = 0;
    constexpr int epochs = 200;
    for (int epoch = 0; epoch < epochs; ++epoch) {
        const auto s = shown(*data, epoch, epoch % 3);
        tops.insert(s.top);
        lefts.insert(s.left);
        mirrored += s.horizontal;
        upside_down += s.vertical;
        backwards += s.reverse;
    }
    EXPECT_EQ(tops, (std::set<std::int64_t>{0, 1, 2, 3}));
    EXPECT_EQ(lefts, (std::set<std::int64_t>{0, 1, 2, 3}));
    for (const int n : {mirrored, upside_down, backwards}) EXPECT_NEAR(n, epochs / 2, 35);
}

TEST_F(AugmentTest, DependsOnSeedEpochAndIndexAlone) {
    const std::string augment = R"({"crop": [2, 3], "flip": "both", "reverse": true})";
    const auto a = open(augment), again = open(augment), other = open(augment, Split::train, 2);
    int by_seed = 0, by_epoch = 0, by_index = 0;
    for (int epoch = 0; epoch < 50; ++epoch) {
        EXPECT_EQ(fetch(*a, epoch, 1), fetch(*again, epoch, 1));
        by_seed += fetch(*a, epoch, 1) != fetch(*other, epoch, 1);
        by_epoch += fetch(*a, epoch, 1) != fetch(*a, epoch + 1, 1);
        by_index += fetch(*a, epoch, 1) != fetch(*a, epoch, 2);
    }
    for (const int n : {by_seed, by_epoch, by_index}) EXPECT_GT(n, 40);
}

TEST_F(AugmentTest, OnlyWhatIsAskedForHappens) {
    const auto flipped = open(R"({"flip": "horizontal"})"), reversed = open(R"({"reverse": true})");
    std::set<Shown> flips, reverses;
    for (int epoch = 0; epoch < 50; ++epoch) {
        flips.insert(shown(*flipped, epoch, 0));
        reverses.insert(shown(*reversed, epoch, 0));
    }
    EXPECT_EQ(flips, (std::set<Shown>{{0, 0, false, false, false}, {0, 0, true, false, false}}));
    EXPECT_EQ(reverses, (std::set<Shown>{{0, 0, false, false, false}, {0, 0, false, false, true}}));
    EXPECT_EQ(fetch(*open("{}"), 5, 1), fetch(*open(""), 0, 1));
}

TEST_F(AugmentTest, TestSequencesAreTheMiddle) {
    const auto data = open(R"({"crop": [2, 4], "flip": "both", "reverse": true})", Split::test);
    for (int epoch = 0; epoch < 20; ++epoch) {
        EXPECT_EQ(shown(*data, epoch, 2), (Shown{2, 2, false, false, false}));
    }
}

TEST_F(AugmentTest, KeysAreCheckedAndComeBack) {
    const auto json = options(R"({"crop": [2, 4], "flip": "vertical", "reverse": true})").to_json();
    EXPECT_EQ(json["augment"], Json::parse(R"({"crop": [2, 4], "flip": "vertical", "reverse": true})"));
    EXPECT_EQ(DatasetOptions::from_json(json, "x").to_json(), json);
    EXPECT_EQ(dataset_shape(options(R"({"crop": [2, 4]})")), (SequenceShape{4, 2, 2, 4}));
    const auto message = [&](const std::string& augment) { return error_of([&] { open(augment); }); };
    EXPECT_THAT(message(R"({"crop": [7, 8]})"),
                HasSubstr("dataset.augment.crop: [7, 8], the frames are 6x8 (height x width)"));
    EXPECT_THAT(message(R"({"crop": [7]})"), HasSubstr("crop: expected a height and a width"));
    EXPECT_THAT(message(R"({"flip": "sideways"})"), HasSubstr("flip: 'sideways' is not known"));
    EXPECT_THAT(message(R"({"flips": "both"})"), HasSubstr("flips: unknown key (did you mean 'flip'?)"));
}

}  // namespace
}  // namespace stl
