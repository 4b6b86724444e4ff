// Options that are described once: what the description gives.
#include "stl/core/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/checks.h"

namespace stl {

enum class Fuel { wood, coal, gas };
template <>
inline constexpr std::array<std::string_view, 3> member_names<Fuel>{"wood", "coal", "gas"};

namespace {

using test::error_of;
using testing::HasSubstr;

struct Stove {
    std::int64_t plates = 4;
    std::uint64_t number = 7;
    double heat = 0.5;
    bool lit = false;
    std::string maker = "none";
    std::array<double, 2> size{1, 2};
    Fuel fuel = Fuel::coal;
    std::optional<double> age;
    std::string place;

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("plates", o.plates, between(1, 6), "for pots");
        key("number", o.number, at_least(0), "");
        key("heat", o.heat, changeable(fraction()), "");
        key("lit", o.lit, Rule{}, "");
        key("maker", o.maker, one_of("maker", {"none", "Acme"}), "");
        key("size", o.size, positive(), "");
        key("fuel", o.fuel, one_of(std::span(member_names<Fuel>).template first<2>()), "");
        key("age", o.age, not_negative(), "of the stove");
        key("place", o.place, Rule{.required = true}, "");
    }
};

Stove read(const Json& json) {
    Fields fields(json, "a.json: stove");
    Stove stove;
    read_options(fields, stove);
    fields.finish();
    return stove;
}

TEST(Options, AreReadAndWritten) {
    const Json json = {{"plates", 2},    {"number", 8},     {"heat", 0.25},
                       {"lit", true},    {"maker", "Acme"}, {"size", {3, 4}},
                       {"fuel", "wood"}, {"age", 12.0},     {"place", "kitchen"}};
    const auto stove = read(json);
    EXPECT_EQ(stove.plates, 2);
    EXPECT_EQ(stove.size[1], 4);
    EXPECT_EQ(stove.fuel, Fuel::wood);
    EXPECT_EQ(stove.age, 12.0);
    EXPECT_EQ(write_options(stove), json);
    const auto fallback = read({{"place", "x"}, {"plates", nullptr}});
    EXPECT_EQ(fallback.plates, 4);
    EXPECT_FALSE(write_options(fallback).contains("age"));
    EXPECT_EQ(write_options(fallback)["fuel"], "coal");
}

TEST(Options, RefuseWhatIsAgainstTheirRules) {
    const auto refusal = [](const char* key, const Json& value) {
        return error_of([&] { read({{"place", "x"}, {key, value}}); });
    };
    EXPECT_EQ(refusal("plates", 7), "a.json: stove.plates: 7 is out of range, expected 1 to 6");
    EXPECT_EQ(refusal("number", -1), "a.json: stove.number: -1 is too small, expected at least 0");
    EXPECT_EQ(refusal("heat", 1),
              "a.json: stove.heat: 1 is out of range, expected at least 0 and less than 1");
    EXPECT_EQ(refusal("size", {1, 0}), "a.json: stove.size: 0 is not a positive number");
    EXPECT_EQ(refusal("size", {1, 2, 3}), "a.json: stove.size: 3 numbers, expected 2");
    EXPECT_EQ(refusal("age", -0.5), "a.json: stove.age: -0.5 is negative or no number");
    EXPECT_EQ(refusal("maker", "Acm"), "a.json: stove.maker: unknown maker 'Acm' (did you mean 'Acme'?)");
    EXPECT_EQ(refusal("fuel", "gas"), "a.json: stove.fuel: 'gas' is not known, expected wood or coal");
    EXPECT_THAT(refusal("lit", "yes"), HasSubstr("a.json: stove.lit"));
    EXPECT_THAT(error_of([] { read(Json::object()); }), HasSubstr("stove.place"));
    Stove stove;
    stove.heat = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(error_of([&] { check_options(stove, "a.json: stove"); }),
              "a.json: stove.heat: nan is out of range, expected at least 0 and less than 1");
}

TEST(Options, AreListed) {
    const auto list = list_options<Stove>();
    ASSERT_EQ(list.size(), 9U);
    EXPECT_EQ(list[0].name, "plates");
    EXPECT_EQ(list[0].by_default, 4);
    EXPECT_EQ(list[0].expected, "1 to 6");
    EXPECT_EQ(list[0].meaning, "for pots");
    EXPECT_EQ(list[2].expected, "at least 0 and less than 1");
    EXPECT_TRUE(list[2].changeable);
    EXPECT_FALSE(list[0].changeable);
    EXPECT_EQ(list[6].expected, "wood, coal");
    EXPECT_TRUE(list[7].by_default.is_null());
}

}  // namespace
}  // namespace stl
