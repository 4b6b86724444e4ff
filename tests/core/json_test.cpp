// Strict JSON: what is wrong is named, with its file, line or key.
#include "stl/core/json.h"

#include <gmock/gmock.h>

#include "stl/core/error.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::string parse_error(const std::string& text) {
    return error_of([&] { parse_json(text, "a.json"); });
}

TEST(Json, AllowsCommentsAndKeepsOrder) {
    const auto json = parse_json("{ // first\n \"b\": 1, \"a\": [1, 2.5] }", "a.json");
    EXPECT_EQ(json.dump(), R"({"b":1,"a":[1,2.5]})");
}

TEST(Json, MistakesHaveALine) {
    EXPECT_THAT(parse_error("{\n\"a\": 1,\n\"b\" 2}"), HasSubstr("a.json: line 3: not valid JSON"));
    EXPECT_THAT(parse_error(""), HasSubstr("a.json: line 1: not valid JSON"));
    EXPECT_THAT(parse_error("{\"a\": 1} x"), HasSubstr("not valid JSON"));
    EXPECT_THAT(parse_error("[\"\xff\"]"), HasSubstr("not valid JSON"));
}

TEST(Json, OfATextThatIsNoJsonNothingIsQuoted) {
    for (const std::string text :
         {"root:x:0:0:secret", "\"secret", "{\"secret' 1", "secret", "[1, secret'; expected x]",
          "{\"a\": \"secret\t\"}", "-----BEGIN secret", "nulsecret", "1 secret"}) {
        const auto message = parse_error(text);
        EXPECT_THAT(message, HasSubstr("a.json: line 1: not valid JSON (syntax error")) << text;
        EXPECT_THAT(message, testing::Not(HasSubstr("secret")));
        EXPECT_THAT(message, testing::Not(HasSubstr("root")));
        EXPECT_THAT(message, testing::Not(HasSubstr("last read")));
    }
}

TEST(Json, FilesHaveALargestSize) {
    const test::TemporaryFolder folder;
    write_text(folder / "a.json", "[" + std::string(1000, ' ') + "]");
    EXPECT_EQ(read_json(folder / "a.json", 1002), Json::array());
    EXPECT_THAT(error_of([&] { read_json(folder / "a.json", 1001); }),
                HasSubstr("a.json: holds more than 1001 bytes"));
    EXPECT_THAT(error_of([] { read_json("/dev/zero"); }),
                HasSubstr("/dev/zero: holds more than 16777216 bytes"));
}

TEST(Json, NumbersThatNoDoubleHoldsHaveALine) {
    EXPECT_EQ(parse_error("{\n\"a\": 1,\n\"b\": 1e400}"),
              "a.json: line 3: not valid JSON (number overflow parsing '1e400')");
}

TEST(Json, TextsHoldNoNul) {
    EXPECT_EQ(parse_error(R"({"a": {"x": 1}, "path": "tiny.h5\u0000x"})"),
              R"(a.json: path: holds the character \u0000)");
    EXPECT_EQ(parse_error(R"({"a": [{"b": 1}, "\u0000"]})"), R"(a.json: a: holds the character \u0000)");
    EXPECT_EQ(parse_error(R"({"a\u0000b": 1})"), R"(a.json: key 'a?b': holds the character \u0000)");
    EXPECT_EQ(parse_error(R"("\u0000")"), R"(a.json: holds the character \u0000)");
}

TEST(Json, MessagesAreShort) {
    const std::string key(1 << 20, 'k');
    EXPECT_LT(parse_error("{\"" + key + "\": 1, \"" + key + "\": 2}").size(), 300U);
    EXPECT_LT(parse_error("{" + key + "}").size(), 300U);
    EXPECT_LT(parse_error(std::string(1 << 20, '9') + "e999").size(), 300U);
    Fields fields(Json{{key, 1}}, "a.json");
    EXPECT_LT(error_of([&] { fields.finish(); }).size(), 300U);
}

TEST(Json, DepthIsBounded) {
    EXPECT_EQ(parse_json(std::string(150, '[') + std::string(150, ']'), "a.json").size(), 1U);
    EXPECT_THAT(parse_error(std::string(1'000'000, '[')), HasSubstr("a.json: nested deeper than 200"));
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    EXPECT_THAT(parse_error(objects), HasSubstr("nested deeper than 200"));
}

TEST(Json, WhatIsNoUtf8IsReplaced) {
    const Json json = {{"name", "a\xe4"}, {"n", 1}};
    EXPECT_EQ(to_line(json), "{\"name\":\"a\xef\xbf\xbd\",\"n\":1}");
    EXPECT_EQ(to_text(json), "{\n  \"name\": \"a\xef\xbf\xbd\",\n  \"n\": 1\n}");
}

TEST(Json, KeysStandOnce) {
    EXPECT_THAT(parse_error(R"({"a": 1, "a": 2})"), HasSubstr("a.json: key 'a' appears twice"));
    EXPECT_NO_THROW(parse_json(R"({"a": {"b": 1}, "c": {"b": 1}})", "a.json"));
}

TEST(Fields, ReadEveryTypeAndTheirDefaults) {
    Fields fields(parse_json(R"({"i": 3, "d": 2, "s": "x", "b": true, "v": [1, 2], "n": null})", "a"), "a");
    EXPECT_EQ(fields.require<std::int64_t>("i"), 3);
    EXPECT_EQ(fields.get<double>("d", 7.5), 2.0);
    EXPECT_EQ(fields.get<std::string>("s", ""), "x");
    EXPECT_TRUE(fields.get<bool>("b", false));
    EXPECT_THAT(fields.require<std::vector<std::int64_t>>("v"), ElementsAre(1, 2));
    EXPECT_EQ(fields.get<std::int64_t>("n", 9), 9);
    EXPECT_EQ(fields.find<double>("absent"), std::nullopt);
    EXPECT_FALSE(fields.has("n"));
    EXPECT_NO_THROW(fields.finish());
}

TEST(Fields, WrongTypesAreNamedWithTheirPlace) {
    Fields fields(parse_json(R"({"i": 2.0, "s": 1, "v": [1, "x"], "big": 18446744073709551615})", "a"),
                  "a.json: model");
    EXPECT_THAT(error_of([&] { fields.get<std::int64_t>("i", 0); }),
                HasSubstr("a.json: model.i: 2.0 is not an integer"));
    EXPECT_THAT(error_of([&] { fields.get<std::string>("s", ""); }),
                HasSubstr("a.json: model.s: 1 is not a string"));
    EXPECT_THAT(error_of([&] { fields.get<std::vector<std::int64_t>>("v", {}); }), HasSubstr("model.v"));
    EXPECT_THAT(error_of([&] { fields.get<std::int64_t>("big", 0); }), HasSubstr("is not an integer"));
    EXPECT_THAT(error_of([&] { fields.require<double>("lr"); }),
                HasSubstr("a.json: model.lr: missing, expected a number"));
}

TEST(Fields, UnknownKeysAreRefusedWithTheNearest) {
    Fields fields(parse_json(R"({"hid_s": 1})", "a"), "a.json: model");
    fields.get<std::int64_t>("hid_S", 2);
    EXPECT_THAT(error_of([&] { fields.finish(); }),
                HasSubstr("model.hid_s: unknown key (did you mean 'hid_S'?)"));
}

TEST(Fields, ChildrenKnowWhereTheyAre) {
    Fields fields(parse_json(R"({"train": {"lr": "x"}, "list": []})", "a"), "a.json");
    auto train = fields.child("train");
    EXPECT_THAT(error_of([&] { train.get<double>("lr", 0); }), HasSubstr("a.json: train.lr"));
    EXPECT_TRUE(fields.child("absent").object().empty());
    EXPECT_THAT(error_of([&] { fields.child("list"); }), HasSubstr("is not an object"));
}

}  // namespace
}  // namespace stl
