// What others store around the weights, and what they call it.

#include <fmt/ranges.h>

#include "stl/pickle/safetensors.h"
#include "tests/checkpoint/support.h"
#include "tests/support/bytes.h"

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

const std::vector<std::string> weights{"enc.a.weight", "enc.b.weight"};

std::vector<std::string> names_of(const Checkpoint& checkpoint) {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : checkpoint.state) names.push_back(name);
    return names;
}

std::vector<std::string> names_in(const std::function<void(pickle::Writer&)>& write) {
    const TemporaryFolder folder;
    return names_of(read_checkpoint(made_by_hand(folder, write)));
}

std::string refusal_of(const std::function<void(pickle::Writer&)>& write) {
    const TemporaryFolder folder;
    return error_of([&] { read_checkpoint(made_by_hand(folder, write)); });
}

TEST(Foreign, TheOnlyWeightsAreFoundUnderWhateverName) {
    for (const auto* key : {"model", "model_state_dict", "net", "params", "module", "state_dict_ema"}) {
        EXPECT_EQ(names_in([&](pickle::Writer& out) {
                      out.text("epoch");
                      out.integer(3);
                      out.text("loss");
                      out.tensor(DType::f32, {2}, 0);
                      out.text("optimizer");
                      out.json({{"state", {{"0", {{"step", 1}}}}}, {"lr", 0.1}});
                      out.text("rng");
                      out.begin_dict();
                      out.text("torch");
                      out.tensor(DType::u8, {8}, 0);
                      out.end_dict();
                      write_weights(out, key, weights);
                  }),
                  weights)
            << key;
    }
    EXPECT_EQ(names_in([](pickle::Writer& out) {
                  out.text("checkpoint");
                  out.begin_dict();
                  write_weights(out, "state_dict", weights);
                  out.text("epoch");
                  out.integer(3);
                  out.end_dict();
              }),
              weights);
}

TEST(Foreign, AStateDictGoesBeforeOtherWeights) {
    EXPECT_EQ(names_in([](pickle::Writer& out) {
                  write_weights(out, "state_dict_ema", {"other.a.weight"});
                  write_weights(out, "state_dict", weights);
                  write_weights(out, "model", {"other.b.weight"});
              }),
              weights);
}

TEST(Foreign, SeveralOrNoWeightsAreNamed) {
    EXPECT_THAT(
        refusal_of([](pickle::Writer& out) {
            write_weights(out, "model", weights);
            out.text("ema");
            out.begin_dict();
            write_weights(out, "shadow", weights);
            out.end_dict();
        }),
        HasSubstr(
            "made.pth: holds weights under 'model', 'ema.shadow', expected one of them or 'state_dict'"));
    EXPECT_THAT(
        refusal_of([](pickle::Writer& out) {
            out.text("epoch");
            out.integer(3);
            out.text("args\n");
            out.json({{"lr", 0.1}});
        }),
        HasSubstr("made.pth: holds no weights (tensors by name were expected), but 'epoch', 'args?'"));
    EXPECT_THAT(refusal_of([](pickle::Writer&) {}), HasSubstr("made.pth: holds no weights"));
}

TEST(Foreign, DictionariesThatStandInManyPlacesAreLookedAtOnce) {
    // Thirty thousand entries, each the same dictionary of thirty thousand, each the same one again.
    const auto many = [](const std::string& value) {
        std::string out = "}(";
        for (int i = 0; i < 30'000; ++i)
            out += "X" + test::little_endian(5, 4) + fmt::format("{:05}", i) + value;
        return out + "u";
    };
    const auto pickle =
        "\x80\x02" + many("N") + "q\x01" + "0" + many("h\x01") + "q\x02" + "0" + many("h\x02") + ".";
    const TemporaryFolder folder;
    ZipWriter zip(folder / "made.pth", "made.pth");
    zip.add("made/data.pkl", pickle);
    zip.finish();
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "made.pth"); }), HasSubstr("holds no weights"));
}

TEST(Foreign, BesideLightningsModelOtherModulesArePassedOver) {
    for (const std::string prefix : {"model.", "model.module.", "module.model.", "_orig_mod.model."}) {
        EXPECT_EQ(names_in([&](pickle::Writer& out) {
                      write_weights(out, "state_dict",
                                    {prefix + weights[0], prefix + weights[1], "criterion.weight",
                                     "ema_model." + weights[0], "module.loss.scale"});
                  }),
                  weights)
            << prefix;
    }
}

TEST(Foreign, WrappersAreTakenOutWhereverTheyStand) {
    for (const std::string wrapper :
         {"module", "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_forward_module"}) {
        EXPECT_EQ(names_in([&](pickle::Writer& out) {
                      write_weights(out, "state_dict",
                                    {wrapper + ".enc." + wrapper + ".a." + wrapper + ".weight",
                                     "_orig_mod.enc.b._orig_mod." + wrapper + ".weight"});
                  }),
                  weights)
            << wrapper;
    }
    // A parameter of that name is no wrapper.
    EXPECT_EQ(names_in([&](pickle::Writer& out) { write_weights(out, "state_dict", {"a.module"}); }),
              std::vector<std::string>{"a.module"});
    EXPECT_THAT(refusal_of([](pickle::Writer& out) {
                    write_weights(out, "state_dict", {"enc._orig_mod.a.weight", "enc.a.weight"});
                }),
                HasSubstr("parameter 'enc.a.weight' stands twice"));
}

/// An instance of a class, with a state where that is not empty: opcodes that the Writer has no word for.
std::string instance_of(const std::string& module, const std::string& name, const std::string& state) {
    return "c" + module + "\n" + name + "\n)\x81" + (state.empty() ? "" : state + "b");
}

/// {'state_dict': {enc.a.weight}, key: `value`} with `value` in opcodes; without `weights` only the latter.
fs::path made_beside(const TemporaryFolder& folder, const std::string& key, const std::string& value,
                     bool with_weights = true) {
    pickle::Writer out;
    out.begin_dict();
    if (with_weights) write_weights(out, "state_dict", {weights[0]});
    out.text(key);
    out.none();
    out.end_dict();
    auto pickle = out.finish();
    pickle.replace(pickle.size() - 3, 1, value);  // of "N", "u" and "."
    ZipWriter zip(folder / "made.pth", "made.pth");
    zip.add("made/data.pkl", pickle);
    zip.add("made/data/0", std::string(8, '\0'));
    zip.finish();
    return folder / "made.pth";
}

TEST(Foreign, UnknownObjectsBesideTheWeightsAreLeftOutAndNamed) {
    const TemporaryFolder folder;
    const auto checkpoint =
        read_checkpoint(made_beside(folder, "args", instance_of("omegaconf.dictconfig", "DictConfig", "}")));
    EXPECT_EQ(names_of(checkpoint), std::vector{weights[0]});
    ASSERT_EQ(checkpoint.notes.size(), 1u);
    EXPECT_THAT(
        checkpoint.notes.front(),
        HasSubstr("made.pth: left out objects of 'omegaconf.dictconfig.DictConfig' (nothing was run)"));
}

TEST(Foreign, WholeModelsAreNamed) {
    const std::string module_state = "}(X" + test::little_endian(8, 4) + "_modules}u";
    const TemporaryFolder folder;
    const auto net = instance_of("__main__", "Net", module_state);
    EXPECT_THAT(
        error_of([&] { read_checkpoint(made_beside(folder, "model", net, /*with_weights=*/false)); }),
        HasSubstr("made.pth: holds a whole model (a __main__.Net), expected its weights; in Python, save "
                  "model.state_dict()"));
    ZipWriter zip(folder / "m.pth", "m.pth");
    zip.add("m/data.pkl", net + ".");
    zip.finish();
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "m.pth"); }),
                HasSubstr("m.pth: holds a whole model"));
}

TEST(Foreign, FlatParametersAreNamed) {
    for (const auto* name : {"_flat_param", "_fsdp_wrapped_module._flat_param", "enc.flat_param_0"}) {
        EXPECT_THAT(refusal_of([&](pickle::Writer& out) { write_weights(out, "state_dict", {name}); }),
                    HasSubstr("is a flat parameter of FSDP"))
            << name;
    }
}

/// The shapes are the same; one more name tells the sets apart.
TEST(Foreign, AKeyChoosesAmongSetsOfWeights) {
    const TemporaryFolder folder;
    const auto chosen = [&](const std::string& key) {
        return names_of(read_checkpoint((folder / "made.pth").string() + ":" + key));
    };
    made_by_hand(folder, [](pickle::Writer& out) {
        write_weights(out, "model", {"a.weight"});
        write_weights(out, "model_ema", {"module.a.weight", "module.b.weight"});
        out.text("callbacks");
        out.begin_dict();
        write_weights(out, "ema", {"c.weight"});
        out.end_dict();
    });
    EXPECT_EQ(chosen("model"), std::vector<std::string>{"a.weight"});
    EXPECT_EQ(chosen("model_ema"), (std::vector<std::string>{"a.weight", "b.weight"}));
    EXPECT_EQ(chosen("callbacks.ema"), std::vector<std::string>{"c.weight"});
    EXPECT_THAT(
        error_of([&] { chosen("emma"); }),
        HasSubstr(
            "made.pth: no weights under 'emma', expected one of 'model', 'model_ema', 'callbacks.ema'"));
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "made.pth"); }),
                HasSubstr("choose with " + (folder / "made.pth").string() + ":model"));

    made_by_hand(folder, [](pickle::Writer& out) {
        write_weights(out, "state_dict", {"model.a.weight", "ema_model.module.a.weight", "loss.weight"});
    });
    EXPECT_EQ(chosen("ema_model"), std::vector<std::string>{"a.weight"});
    EXPECT_THAT(error_of([&] { chosen("ema"); }), HasSubstr("no weights under 'ema'"));

    with_metadata(folder, {});
    EXPECT_THAT(error_of([&] { read_checkpoint((folder / "a.safetensors").string() + ":b"); }),
                HasSubstr("no weights under 'b'"));
    fs::copy_file(folder / "made.pth", folder / "with:colon");
    EXPECT_EQ(names_of(read_checkpoint(folder / "with:colon")), std::vector<std::string>{"a.weight"});
    EXPECT_EQ(names_of(read_checkpoint(folder / "with:colon:ema_model")),
              std::vector<std::string>{"a.weight"});
}

TEST(Foreign, AnotherSetOfWeightsIsNoted) {
    const auto notes_of = [](const std::function<void(pickle::Writer&)>& write) {
        const TemporaryFolder folder;
        const auto checkpoint = read_checkpoint(made_by_hand(folder, write));
        EXPECT_EQ(names_of(checkpoint), weights);
        return fmt::format("{}", fmt::join(checkpoint.notes, "\n"));
    };
    EXPECT_EQ(notes_of([](pickle::Writer& out) {
                  write_weights(out, "state_dict", weights);
                  write_weights(out, "stl_tensors", {"rng.a"});
              }),
              "");
    EXPECT_THAT(notes_of([](pickle::Writer& out) {
                    write_weights(out, "state_dict", weights);
                    write_weights(out, "state_dict_ema", weights);
                }),
                HasSubstr("took the weights under 'state_dict'; others are under 'state_dict_ema'"));
    EXPECT_THAT(notes_of([](pickle::Writer& out) {
                    write_weights(
                        out, "state_dict",
                        {"model." + weights[0], "model." + weights[1], "ema_model.module." + weights[0]});
                }),
                HasSubstr("another set of weights is under 'ema_model.'"));
    EXPECT_THAT(notes_of([](pickle::Writer& out) {
                    write_weights(out, "state_dict",
                                  {weights[0], weights[1], "ema." + weights[0], "ema." + weights[1]});
                }),
                HasSubstr("another set of weights is under 'ema.'"));
    // Other modules are none.
    EXPECT_EQ(
        notes_of([](pickle::Writer& out) {
            write_weights(out, "state_dict", {"model." + weights[0], "model." + weights[1], "loss.weight"});
        }),
        "");
}

TEST(Foreign, CountersOfToolsArePassedOver) {
    for (const std::string prefix : {"", "module.", "model.module."}) {
        EXPECT_EQ(names_in([&](pickle::Writer& out) {
                      write_weights(out, "state_dict",
                                    {prefix + weights[0], prefix + weights[1], "n_averaged", "total_ops",
                                     prefix + "enc.total_params", prefix + "enc.a.total_ops"});
                  }),
                  weights)
            << prefix;
    }
    EXPECT_THAT(refusal_of([](pickle::Writer& out) { write_weights(out, "state_dict", {"n_averaged"}); }),
                HasSubstr("holds no weights"));
}

}  // namespace
}  // namespace stl
