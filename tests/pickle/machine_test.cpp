// The pickle interpreter: every opcode, and what it must refuse.

#include "stl/pickle/machine.h"

#include "tests/pickle/support.h"

namespace stl::pickle {
namespace {

using ::testing::HasSubstr;

TEST(Machine, Numbers) {
    EXPECT_EQ(json_of("N."), nullptr);
    EXPECT_EQ(json_of("\x88."), true);
    EXPECT_EQ(json_of("\x89."), false);
    EXPECT_EQ(json_of("K\xff."), 255);
    EXPECT_EQ(json_of("M\xff\xff."), 65535);
    EXPECT_EQ(json_of("J\xfe\xff\xff\xff."), -2);
    EXPECT_EQ(json_of(std::string("\x8a\x00.", 3)), 0);
    EXPECT_EQ(json_of("\x8a\x01\xff."), -1);
    EXPECT_EQ(json_of("\x8a\x02\xff\x7f."), 32767);
    EXPECT_EQ(json_of("\x8a\x08" + little_endian(1ull << 62, 8) + "."), std::int64_t{1} << 62);
    EXPECT_EQ(json_of("\x8a\x09" + little_endian(~0ull, 8) + std::string(1, '\0') + "."), ~std::uint64_t{0});
    EXPECT_EQ(json_of("\x8b" + little_endian(2, 4) + "\x34\x12."), 0x1234);
    EXPECT_EQ(json_of("I42\n."), 42);
    EXPECT_EQ(json_of("I01\n."), true);
    EXPECT_EQ(json_of("L-7L\n."), -7);
    EXPECT_EQ(json_of("L18446744073709551615L\n."), ~std::uint64_t{0});
    EXPECT_NE(Interpreted("L99999999999999999999999L\n.").value.as<BigInteger>(), nullptr);
    EXPECT_EQ(json_of("F0.5\n."), 0.5);
    EXPECT_EQ(json_of(std::string("G\x3f\xe0\0\0\0\0\0\0.", 10)), 0.5);
}

TEST(Machine, Texts) {
    EXPECT_EQ(json_of(text("sch\xc3\xb6n") + "."), "schön");
    EXPECT_EQ(json_of("\x8c\x02"
                      "ab."),
              "ab");
    EXPECT_EQ(json_of("\x8d" + little_endian(2, 8) + "ab."), "ab");
    EXPECT_EQ(json_of("Vab\n."), "ab");
    EXPECT_EQ(json_of("S'ab'\n."), "ab");
    EXPECT_EQ(json_of("U\x02"
                      "ab."),
              "ab");
    EXPECT_EQ(json_of("T" + little_endian(2, 4) + "ab."), "ab");
    EXPECT_EQ(Interpreted(std::string("C\x02\x00\xff.", 5)).value.as<Bytes>()->size(), 2u);
    EXPECT_THAT(refusal_of(text("\xff") + "."), HasSubstr("UTF-8"));
    EXPECT_THAT(refusal_of(text("\xed\xa0\x80") + "."), HasSubstr("UTF-8"));
}

TEST(Machine, Containers) {
    EXPECT_EQ(json_of(")."), Json::array());
    EXPECT_EQ(json_of("K\x01\x85."), Json({1}));
    EXPECT_EQ(json_of("K\x01K\x02\x86."), Json({1, 2}));
    EXPECT_EQ(json_of("K\x01K\x02K\x03\x87."), Json({1, 2, 3}));
    EXPECT_EQ(json_of("(K\x01K\x02K\x03K\x04t."), Json({1, 2, 3, 4}));
    EXPECT_EQ(json_of("]K\x01"
                      "a(K\x02K\x03"
                      "e."),
              Json({1, 2, 3}));
    EXPECT_EQ(json_of("(K\x01K\x02l."), Json({1, 2}));
    EXPECT_EQ(json_of("\x8f(K\x01\x90."), Json({1}));
    EXPECT_EQ(json_of("(K\x01\x91."), Json({1}));
    EXPECT_EQ(json_of("}" + text("a") + "K\x01s(" + text("b") + "K\x02u."), Json({{"a", 1}, {"b", 2}}));
    EXPECT_EQ(json_of("(" + text("a") +
                      "K\x01"
                      "d."),
              Json({{"a", 1}}));
    // As in Python, a later value replaces an earlier one in its place.
    EXPECT_EQ(json_of("}(" + text("a") + "K\x01" + text("b") + "K\x02" + text("a") + "K\x03u.").dump(),
              R"({"a":3,"b":2})");
    EXPECT_EQ(json_of("K\x01K\x02"
                      "0."),
              1);
    EXPECT_EQ(json_of("K\x01(K\x02K\x03"
                      "1."),
              1);
    EXPECT_EQ(json_of("K\x01(0."), 1) << "POP takes a mark as well";
    EXPECT_EQ(json_of("K\x05"
                      "2\x86."),
              Json({5, 5}));
}

TEST(Machine, Memo) {
    EXPECT_EQ(json_of("K\x05q\x01"
                      "h\x01\x86."),
              Json({5, 5}));
    EXPECT_EQ(json_of("K\x05p1\ng1\n\x86."), Json({5, 5}));
    EXPECT_EQ(json_of("(K\x05\x94K\x06\x94h" + std::string(1, '\0') + "h\x01t."), Json({5, 6, 5, 6}));
}

TEST(Machine, AListChangedAfterItWasMemorizedChangesEverywhere) {
    EXPECT_EQ(json_of(std::string("]q\0h\0K\x07"
                                  "a\x86.",
                                  10)),
              Json({{7}, {7}}));
}

TEST(Machine, KnownNames) {
    EXPECT_EQ(json_of(call("collections", "OrderedDict", "") + "(" + text("a") + "K\x01u."),
              Json({{"a", 1}}));
    EXPECT_EQ(json_of(call("collections", "OrderedDict",
                           "]]" + text("a") +
                               "aK\x01"
                               "aa") +
                      "."),
              Json({{"a", 1}}));
    EXPECT_EQ(json_of(call("__builtin__", "set",
                           "]K\x01"
                           "a") +
                      "."),
              Json({1}));
    EXPECT_EQ(json_of(global("argparse", "Namespace") + ")\x81}" + text("a") + "K\x01sb."), Json({{"a", 1}}));
    EXPECT_EQ(json_of(call("torch", "Size",
                           "]K\x02"
                           "a") +
                      "."),
              Json({2}));
    const Interpreted encoded(call("_codecs", "encode", text("a\xc3\xbf") + text("latin1")) + ".");
    const auto* bytes = encoded.value.as<Bytes>();
    ASSERT_NE(bytes, nullptr);
    ASSERT_EQ(bytes->size(), 2u);
    EXPECT_EQ((*bytes)[1], std::byte{0xff});
}

TEST(Machine, FunctionsOfSchedulersAreNotedNotCalled) {
    for (const std::string builtin : {"__builtin__", "builtins"}) {
        const Interpreted run(
            call(builtin, "getattr",
                 global("torch.optim.lr_scheduler", "OneCycleLR") + text("_annealing_cos")) +
            ".");
        ASSERT_NE(run.value.as<Object>(), nullptr);
        EXPECT_EQ(run.value.as<Object>()->type.role, Role::attribute);
    }
    EXPECT_THAT(refusal_of(call("builtins", "getattr", global("torch", "Tensor") + text("__class__")) + "."),
                HasSubstr("getattr on the name torch.Tensor is not on the list"));
    EXPECT_THAT(refusal_of(call("builtins", "getattr", text("a") + text("upper")) + "."),
                HasSubstr("getattr on a text"));
}

TEST(Machine, OtherNamesAreInertPlaceholders) {
    const std::pair<const char*, const char*> names[]{{"os", "system"},
                                                      {"posix", "system"},
                                                      {"nt", "system"},
                                                      {"builtins", "eval"},
                                                      {"builtins", "exec"},
                                                      {"__builtin__", "eval"},
                                                      {"builtins", "__import__"},
                                                      {"builtins", "open"},
                                                      {"subprocess", "Popen"},
                                                      {"torch", "load"},
                                                      {"torch.hub", "load"},
                                                      {"torch.storage", "_load_from_bytes"},
                                                      {"numpy", "load"},
                                                      {"runpy", "run_path"},
                                                      {"pickle", "loads"},
                                                      {"operator", "attrgetter"},
                                                      {"functools", "partial"},
                                                      {"importlib", "import_module"},
                                                      {"webbrowser", "open"},
                                                      {"shutil", "rmtree"},
                                                      {"collections", "namedtuple"},
                                                      {"pytorch_lightning.utilities", "rank_zero_only"},
                                                      {"torch.optimX", "Adam"},
                                                      {"lightning.fabric", "_load"},
                                                      {"torch.nn.modules.conv", "Conv2d"}};
    for (const auto& [module, name] : names) {
        // In every way of naming and calling something.
        for (const auto& pickle :
             {call(module, name, text("ls")) + ".", "(" + text("ls") + "i" + module + "\n" + name + "\n.",
              text(module) + text(name) + "\x93)\x81.", "(" + global(module, name) + text("ls") + "o."}) {
            const Interpreted run(pickle);
            ASSERT_NE(run.value.as<Object>(), nullptr) << name;
            EXPECT_EQ(run.value.as<Object>()->type.role, Role::unknown);
            EXPECT_EQ(run.value.describe(), fmt::format("a {}.{}", module, name));
        }
    }
}

TEST(Machine, WhatPlaceholdersMakeIsInertToo) {
    const auto unknown = global("a", "B");
    for (const auto& pickle :
         {call("builtins", "getattr", unknown + text("Inner")) + ")\x81.",
          call("functools", "partial", unknown) + tuple(text("x")) + "R.",
          call("a", "B", "") + "}" + text("k") + "K\x01sb.", call("a", "B", "") + "(K\x01K\x02" + "e.",
          call("a", "B", "") + "(K\x01K\x02u.", call("builtins", "set", call("a", "B", "")) + ".",
          call("torch._utils", "_rebuild_parameter", call("a", "B", "")) + ".",
          call("torch._tensor", "_rebuild_from_type_v2", unknown + unknown + tuple("")) + "."}) {
        EXPECT_NE(Interpreted(pickle).value.as<Object>(), nullptr) << pickle;
    }
}

TEST(Machine, NamesDoNotHideInMessages) {
    const auto message =
        refusal_of("N" + text("o\ns\x1b[31m") + text(std::string(500, 'x')) + "\x93)RK\x01" + "e.") +
        Interpreted(text("o\ns\x1b[31m") + text(std::string(500, 'x')) + "\x93.").value.describe();
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
    EXPECT_LT(message.size(), 300u);
}

TEST(Machine, RefusesToCallWhatIsNoName) {
    EXPECT_THAT(refusal_of(text("a") + ")R."), HasSubstr("can't be called"));
    EXPECT_THAT(refusal_of("K\x01)\x81."), HasSubstr("can't be called"));
    EXPECT_THAT(refusal_of(global("torch", "FloatStorage") + ")R."), HasSubstr("can't be called"));
    EXPECT_THAT(refusal_of(global("collections", "OrderedDict") + "]R."), HasSubstr("for arguments"));
}

TEST(Machine, RefusesDamage) {
    EXPECT_THAT(refusal_of(""), HasSubstr("truncated"));
    EXPECT_THAT(refusal_of("K"), HasSubstr("truncated"));
    EXPECT_THAT(refusal_of("."), HasSubstr("0 values and 0 marks"));
    EXPECT_THAT(refusal_of("NN."), HasSubstr("2 values and 0 marks"));
    EXPECT_THAT(refusal_of("(."), HasSubstr("left"));
    EXPECT_THAT(refusal_of("e."), HasSubstr("no mark"));
    EXPECT_THAT(refusal_of("h\x05."), HasSubstr("never set"));
    EXPECT_THAT(refusal_of("\x80\x06N."), HasSubstr("protocol 6"));
    EXPECT_THAT(refusal_of("\xffN."), HasSubstr("opcode 0xff"));
    EXPECT_THAT(refusal_of("NQ."), HasSubstr("persistent id"));
    EXPECT_THAT(refusal_of("Pstorage\n."), HasSubstr("persistent id"));
    EXPECT_THAT(refusal_of("K\x01K\x02"
                           "a."),
                HasSubstr("can't be appended to"));
    EXPECT_THAT(refusal_of(")K\x02"
                           "a."),
                HasSubstr("a tuple can't be appended to"));
    EXPECT_THAT(refusal_of("]K\x02K\x03s."), HasSubstr("takes no keys"));
    EXPECT_THAT(refusal_of("}(K\x02u."), HasSubstr("key without a value"));
    EXPECT_THAT(refusal_of("I1x\n."), HasSubstr("not an integer"));
    EXPECT_THAT(refusal_of("Fabc\n."), HasSubstr("not a number"));
    EXPECT_THAT(refusal_of("K\x01(q\x05."), HasSubstr("stack is empty")) << "a mark hides what is below it";
}

TEST(Machine, ChecksCountsBeforeTakingMemory) {
    const auto huge = little_endian(0xfffffff0, 4);
    for (const std::string op : {"X", "B", "T", "\x8b"}) {
        EXPECT_THAT(refusal_of(op + huge + "a."), HasSubstr("truncated: 4294967280 bytes announced"));
    }
    for (const std::string op : {"\x8d", "\x8e", "\x96", "\x95"}) {
        EXPECT_THAT(refusal_of(op + little_endian(~0ull >> 1, 8) + "a."), HasSubstr("truncated"));
    }
    EXPECT_THAT(refusal_of("Nr" + huge + "."), HasSubstr("memo index"));
    EXPECT_THAT(refusal_of("Np4294967295\n."), HasSubstr("memo index"));
}

TEST(Machine, BoundsTheNumberOfValues) {
    EXPECT_THAT(refusal_of(std::string(Arena::limit + 1, '}')), HasSubstr("more than"));
    EXPECT_THAT(refusal_of(std::string(Arena::limit + 1, 'N')), HasSubstr("more than"));
    EXPECT_THAT(refusal_of(std::string(Arena::limit + 1, '(')), HasSubstr("more than"));
    EXPECT_THAT(refusal_of("N" + std::string(Arena::limit + 1, '2')), HasSubstr("more than"));
    // A list of 100,000 copied 100,000 times.
    std::string bomb = "](" + std::string(100'000, 'N') + "eq\x01";
    bomb += global("builtins", "list") + "q\x02" + "0";
    for (int i = 0; i < 100'000; ++i) bomb += "h\x02h\x01\x85R0";
    EXPECT_THAT(refusal_of(bomb + "."), HasSubstr("more than"));
    // A text of a megabyte turned to bytes 100,000 times.
    std::string encoded = text(std::string(1 << 20, 'a')) + "q\x01" + global("_codecs", "encode") + "q\x02";
    for (int i = 0; i < 100'000; ++i) encoded += "h\x02h\x01" + text("latin1") + "\x86R0";
    EXPECT_THAT(refusal_of(encoded + "."), HasSubstr("more than"));
}

TEST(Machine, DeepAndCyclicValuesAreFreedAndNeverWalkedFar) {
    // A million lists in each other.
    const Interpreted deep(std::string(1'000'000, ']') + std::string(999'999, 'a') + ".");
    EXPECT_THAT(error_of([&] { to_json(deep.value, "test"); }), HasSubstr("nested more than 64 deep"));
    // A list in itself.
    const Interpreted cycle(std::string("]q\0h\0a.", 7));
    EXPECT_THAT(error_of([&] { to_json(cycle.value, "test"); }), HasSubstr("nested more than 64 deep"));
    // 2^60 numbers in sixty tuples of the one before, twice.
    std::string laughs = "K\x01";
    for (int i = 0; i < 60; ++i) laughs += "2\x86";
    const Interpreted many(laughs + ".");
    EXPECT_THAT(error_of([&] { to_json(many.value, "test"); }), HasSubstr("more than 1048576 values"));
}

TEST(Machine, LeavesOutWhatJsonHasNoWordFor) {
    const std::string object = global("pytorch_lightning.callbacks", "ModelCheckpoint") + ")\x81";
    EXPECT_EQ(json_of("}(" + text("a") + object + text("b") + "K\x01u."), Json({{"b", 1}}));
    EXPECT_EQ(json_of("](" + object +
                      "K\x01"
                      "e."),
              Json({nullptr, 1}));
}

}  // namespace
}  // namespace stl::pickle
