#include "tests/checkpoint/support.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Checkpoint weights_of(const Json& model) {
    Checkpoint checkpoint;
    checkpoint.state = state_of(*SimVP(SimVPOptions::from_json(model, "test")));
    return checkpoint;
}

const Json small{
    {"translator", "van"}, {"in_shape", {5, 1, 32, 48}}, {"hid_S", 4}, {"hid_T", 24}, {"N_S", 2}, {"N_T", 3}};

Json with(Json model, const Json& changes) {
    model.update(changes);
    return model;
}

TEST(ModelOptions, TheRecordInTheFileWins) {
    auto checkpoint = weights_of(small);
    checkpoint.stl["model"] =
        SimVPOptions::from_json(with(small, {{"drop_path", 0.2}, {"output_frames", 7}}), "t").to_json();
    const auto options = model_options(checkpoint, nullptr, "test");
    EXPECT_EQ(options.to_json(), checkpoint.stl["model"]);
    EXPECT_EQ(options.drop_path, 0.2);
}

TEST(ModelOptions, HintsWinOverEverything) {
    auto checkpoint = weights_of(small);
    const Json hints{
        {"in_shape", {5, 1, 32, 48}}, {"drop_path", 0.1}, {"aft_seq_length", 9}, {"pre_seq_length", 5}};
    const auto options = model_options(checkpoint, hints, "test");
    EXPECT_EQ(options.translator, "van");
    EXPECT_EQ(options.width, 48);
    EXPECT_EQ(options.drop_path, 0.1);
    EXPECT_EQ(options.output_frames, 9);
    checkpoint.stl["model"] = options.to_json();
    EXPECT_EQ(model_options(checkpoint, {{"output_frames", 3}}, "test").output_frames, 3);
}

TEST(ModelOptions, ThePeersSpellingsAreAccepted) {
    const auto checkpoint = weights_of(with(small, {{"translator", "moganet"}, {"hid_S", 8}}));
    const Json config{{"model_type", "MoGa"},
                      {"in_shape", {5, 1, 32, 48}},
                      {"hid_S", 8},
                      {"hid_T", 24},
                      {"N_S", 2},
                      {"N_T", 3},
                      {"mlp_ratio", 8.0},
                      {"drop", 0.0},
                      {"drop_path", 0.0},
                      {"spatio_kernel_enc", 3},
                      {"spatio_kernel_dec", 3},
                      {"pre_seq_length", 5},
                      {"aft_seq_length", 5},
                      {"method", "SimVP"},
                      {"act_inplace", false}};
    EXPECT_EQ(model_options(checkpoint, config, "test").translator, "moganet");
}

TEST(ModelOptions, ThePeersWholeConfigIsAccepted) {
    auto checkpoint = weights_of(with(small, {{"translator", "tau"}, {"hid_S", 8}}));
    const Json config{{"in_shape", {5, 1, 32, 48}},
                      {"hid_S", 8},
                      {"hid_T", 24},
                      {"N_S", 2},
                      {"N_T", 3},
                      {"model_type", "tau"},
                      {"mlp_ratio", 8.0},
                      {"pre_seq_length", 5},
                      {"aft_seq_length", 5},
                      {"batch", 2},
                      {"method", "TAU"},
                      {"num_params", 28545},
                      {"act_inplace", false},
                      {"train", {{"opt", "adam"}, {"lr", 0.001}}},
                      {"drop_path_rates_as_built", Json::array()}};
    EXPECT_EQ(model_options(checkpoint, config, "test").translator, "tau");
    auto unnamed = config;
    unnamed.erase("model_type");
    EXPECT_EQ(model_options(checkpoint, unnamed, "test").translator, "tau");
    EXPECT_EQ(SimVPOptions::from_json(model_keys(config, "M.json"), "M.json").hid_S, 8);
}

TEST(ModelOptions, ErrorsOfHintsNameTheirFile) {
    auto checkpoint = weights_of(small);
    checkpoint.stl["model"] = SimVPOptions::from_json(small, "t").to_json();
    for (const Json& hints : {Json{{"hid_U", 3}}, Json{{"hid_S", 3}},
                              Json{{"pre_seq_length", 4}, {"in_shape", {5, 1, 32, 48}}}}) {
        EXPECT_THAT(error_of([&] { model_options(checkpoint, hints, "x.pth", "M.json"); }),
                    ::testing::StartsWith("M.json: "));
    }
}

TEST(ModelOptions, BadHintsAreNamed) {
    const auto checkpoint = weights_of(small);
    const auto refusal = [&](const Json& hints) {
        return error_of([&] { model_options(checkpoint, hints, "x.pth"); });
    };
    EXPECT_THAT(refusal({{"in_shape", {5, 1, 32, 48}}, {"hid_U", 3}}),
                AllOf(HasSubstr("hid_U"), HasSubstr("hid_S")));
    EXPECT_THAT(refusal({{"in_shape", {5, 1}}}), HasSubstr("in_shape"));
    EXPECT_THAT(refusal({{"in_shape", "big"}}), HasSubstr("in_shape"));
    EXPECT_THAT(refusal({{"in_shape", {5, 1, 32, 48}}, {"translator", "vam"}}),
                HasSubstr("did you mean 'van'"));
    EXPECT_THAT(refusal({{"in_shape", {5, 1, 32, 48}}, {"pre_seq_length", 4}}),
                HasSubstr("pre_seq_length 4"));
    EXPECT_THAT(refusal({{"translator", "van"}, {"model_type", "van"}}), HasSubstr("are synonyms"));
    EXPECT_THAT(refusal(Json::array()), HasSubstr("not an object"));
}

TEST(ModelOptions, TheSimplestRatioThatFitsIsFound) {
    for (const double ratio : {8.0, 3.0, 2.5, 1.25, 2.3, 0.7}) {
        const auto checkpoint = weights_of(with(small, {{"mlp_ratio", ratio}, {"hid_T", 20}}));
        const auto options = model_options(checkpoint, {{"in_shape", {5, 1, 32, 48}}}, "test");
        EXPECT_EQ(static_cast<std::int64_t>(20 * options.mlp_ratio), static_cast<std::int64_t>(20 * ratio))
            << ratio;
        // What matters is that the weights fit.
        SimVP model(options);
        load_weights(*model, checkpoint.state, "test");
        if (ratio == 8.0 || ratio == 2.5) {
            EXPECT_EQ(options.mlp_ratio, ratio);
        }
    }
}

TEST(ModelOptions, EqualWidthsInsideAndOutsideAreTold) {
    // No reduction layers then: for every translator the width must be told from another weight.
    for (const auto& translator : test::peer_translators()) {
        SCOPED_TRACE(translator);
        const Json shape{4, 1, 32, 32};
        const Json model{{"translator", translator},
                         {"in_shape", shape},
                         {"hid_S", 8},
                         {"hid_T", 32},
                         {"N_S", 4},
                         {"N_T", 3}};
        const auto options = model_options(weights_of(model), {{"in_shape", shape}}, "test");
        EXPECT_EQ(options.translator, translator);
        EXPECT_EQ(options.hid_T, 32);
        EXPECT_EQ(options.hid_S, 8);
        EXPECT_EQ(options.frames, 4);
        EXPECT_EQ(options.N_T, 3);
    }
}

TEST(ModelOptions, OtherModelsWeightsAreRefused) {
    Checkpoint checkpoint;
    checkpoint.state = {{"conv1.weight", torch::zeros({3, 3})}};
    EXPECT_THAT(error_of([&] { model_options(checkpoint, nullptr, "x.pth"); }),
                HasSubstr("x.pth: not the weights of a SimVP: 'enc.enc.0.conv.conv.weight' is missing"));
    checkpoint.state = {{"enc.enc.0.conv.conv.weight", torch::zeros({3})}};
    EXPECT_THAT(error_of([&] { model_options(checkpoint, nullptr, "x.pth"); }), HasSubstr("has shape [3]"));
}

}  // namespace
}  // namespace stl
