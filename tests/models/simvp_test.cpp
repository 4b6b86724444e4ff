// The frame around the translators, its options, and what every translator of the registry must cope with.

#include <gtest/gtest.h>

#include "stl/core/error.h"
#include "stl/models/layers/drop.h"
#include "stl/models/layers/norms.h"
#include "stl/models/registry.h"
#include "stl/models/simvp.h"
#include "stl/models/translators/block.h"
#include "tests/support/golden.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

SimVPOptions small_options(const std::string& translator) {
    SimVPOptions o;
    o.translator = translator;
    o.frames = 4;
    o.channels = 1;
    o.height = o.width = 32;
    o.hid_S = 8;
    o.hid_T = 16;
    o.N_S = 2;
    o.N_T = 3;
    o.mlp_ratio = 2.0;
    return o;
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

std::string check_message(const std::string& translator, const std::function<void(SimVPOptions&)>& change) {
    auto options = small_options(translator);
    change(options);
    return message_of([&] { options.check("a.json: model"); });
}

class EveryTranslator : public testing::TestWithParam<std::string> {};

TEST_P(EveryTranslator, TakesSeveralChannelsAndSizesThatTheStrideDoesNotDivide) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    auto options = small_options(GetParam());
    options.channels = 3;
    options.height = 29;  // 15 x 16 at the translator, or, where a window of 4 must fit, 16 x 20
    options.width = 31;
    if (GetParam() == "swin") {
        options.height = 31;
        options.width = 39;
    }
    SimVP model(options);
    model->eval();
    const auto x = torch::rand({2, options.frames, 3, options.height, options.width});
    const auto y = model->forward(x);
    EXPECT_EQ(y.sizes(), x.sizes());

    // The same weights for the padded size, given frames padded by repeating the last row and column.
    auto padded = options;
    padded.height += 1;
    padded.width += 1;
    SimVP larger(padded, Weights::unset);
    const auto parameters = model->named_parameters();
    for (auto& parameter : larger->named_parameters()) parameter.value().copy_(parameters[parameter.key()]);
    larger->eval();
    const auto rows = torch::cat({x, x.narrow(3, options.height - 1, 1)}, 3);
    const auto both = torch::cat({rows, rows.narrow(4, options.width - 1, 1)}, 4);
    const auto cropped = larger->forward(both).narrow(3, 0, options.height).narrow(4, 0, options.width);
    EXPECT_TRUE(y.equal(cropped));
}

TEST_P(EveryTranslator, RollsOutAndCuts) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    SimVP model(small_options(GetParam()));
    model->eval();
    const auto x = torch::rand({2, 4, 1, 32, 32});
    const auto first = model->forward(x);
    const auto second = model->forward(first);
    EXPECT_TRUE(model->predict(x).equal(first));
    EXPECT_TRUE(model->predict(x, 3).equal(first.narrow(1, 0, 3)));
    EXPECT_TRUE(model->predict(x, 8).equal(torch::cat({first, second}, 1)));
    EXPECT_TRUE(model->predict(x, 6).equal(torch::cat({first, second.narrow(1, 0, 2)}, 1)));
}

TEST_P(EveryTranslator, KeepsWholeNumberBuffersWhole) {
    SimVP model(small_options(GetParam()), Weights::unset);
    model->to(torch::kFloat64);
    for (const auto& parameter : model->parameters()) EXPECT_EQ(parameter.scalar_type(), torch::kFloat64);
    for (const auto& buffer : model->named_buffers()) {
        const bool whole = buffer.key().ends_with("num_batches_tracked") || buffer.key().ends_with("_index");
        EXPECT_EQ(buffer.value().scalar_type(), whole ? torch::kInt64 : torch::kFloat64) << buffer.key();
    }
}

TEST_P(EveryTranslator, LearnsInBothSizesOfNumber) {
    for (const auto dtype : {torch::kFloat32, torch::kFloat64}) {
        torch::manual_seed(0);
        SimVP model(small_options(GetParam()));
        model->to(dtype);
        const auto x = torch::rand({2, 4, 1, 32, 32}, dtype);
        model->forward(x).pow(2).mean().backward();
        for (const auto& parameter : model->named_parameters()) {
            ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
            EXPECT_TRUE(parameter.value().grad().isfinite().all().item<bool>()) << parameter.key();
        }
    }
}

TEST_P(EveryTranslator, DropsWhileTrainingOnly) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    const auto& keys = find_translator(GetParam(), "test").keys;
    const auto x = torch::rand({2, 4, 1, 32, 32});
    const auto differs_between_draws = [&](double drop, double drop_path) {
        auto options = small_options(GetParam());
        options.drop = drop;
        options.drop_path = options.drop_path_first = drop_path;
        SimVP model(options);
        for (auto& parameter : model->parameters())
            parameter.normal_(0.0, 0.1);  // layer scales that can be seen
        model->eval();
        EXPECT_TRUE(model->forward(x).equal(model->forward(x)));
        model->train();
        return !model->forward(x).equal(model->forward(x));
    };
    const auto reads = [&](const char* key) { return std::ranges::find(keys, key) != keys.end(); };
    EXPECT_FALSE(differs_between_draws(0.0, 0.0));
    EXPECT_EQ(differs_between_draws(0.5, 0.0), reads("drop"));
    EXPECT_EQ(differs_between_draws(0.0, 0.5), reads("drop_path"));
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryTranslator, testing::ValuesIn(test::translator_names()),
                         [](const auto& info) { return info.param; });

TEST(SimVP, IdentityTranslatorLeavesEncoderAndDecoder) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    SimVP model(small_options("identity"));
    const auto x = torch::rand({2, 4, 1, 32, 32});
    const auto [latent, skip] = model->enc->forward(x.flatten(0, 1));
    EXPECT_EQ(latent.sizes(), c10::IntArrayRef({8, 8, 16, 16}));
    EXPECT_EQ(skip.sizes(), c10::IntArrayRef({8, 8, 32, 32}));
    EXPECT_TRUE(model->forward(x).equal(model->dec->forward(latent, skip).view(x.sizes())));
}

TEST(SimVP, SaysWhichInputItTakes) {
    SimVP model(small_options("identity"));
    EXPECT_EQ(message_of([&] {
                  model->forward(torch::zeros({2, 3, 1, 32, 32}));
              }),
              "the model takes [B, 4, 1, 32, 32] (frames, channels, height, width), not [2, 3, 1, 32, 32]");
}

TEST(SimVPOptions, ReadsTheReferencesSpellings) {
    const Json json{{"model_type", "IncepU"},
                    {"in_shape", {10, 2, 48, 40}},
                    {"aft_seq_length", 5},
                    {"hid_S", 32},
                    {"hid_T", 64},
                    {"N_S", 2},
                    {"N_T", 3},
                    {"mlp_ratio", 4},
                    {"drop", 0.1},
                    {"drop_path", 0.2}};
    const auto o = SimVPOptions::from_json(json, "m.json");
    EXPECT_EQ(o.translator, "incepu");
    EXPECT_EQ(o.output_frames, 5);
    EXPECT_EQ(o.width, 40);
    EXPECT_EQ(o.mlp_ratio, 4.0);
    EXPECT_EQ(o.drop_path_first, 0.01);
    EXPECT_EQ(SimVPOptions::from_json(o.to_json(), "again").to_json(), o.to_json());
    for (const auto& [spelling, name] :
         std::vector<std::pair<std::string, std::string>>{{"moga", "moganet"},
                                                          {"MLP", "mlpmixer"},
                                                          {"gSTA", "gsta"},
                                                          {"ConvNeXt", "convnext"},
                                                          {"TAU", "tau"}}) {
        EXPECT_EQ(find_translator(spelling, "m.json").name, name);
    }
}

TEST(SimVPOptions, NamesWhatIsWrong) {
    const auto from = [](const Json& json) {
        return message_of([&] { SimVPOptions::from_json(json, "a.json: model"); });
    };
    EXPECT_EQ(from({{"translator", "mogant"}, {"in_shape", {10, 1, 64, 64}}}),
              "a.json: model.translator: unknown translator 'mogant' (did you mean 'moganet'?)");
    EXPECT_EQ(from({{"translator", "tau"}}),
              "a.json: model.in_shape: missing, expected a list, each an integer");
    EXPECT_EQ(from({{"in_shape", {10, 1, 64}}}),
              "a.json: model.in_shape: 3 numbers, expected [frames, channels, height, width]");
    EXPECT_EQ(from({{"in_shape", {10, 1, 64, 64}}, {"hidT", 3}}),
              "a.json: model.hidT: unknown key (did you mean 'hid_T'?)");
    EXPECT_EQ(from({{"in_shape", {10, 1, 64, 64}}, {"translator", "tau"}, {"model_type", "tau"}}),
              "a.json: model.model_type: a synonym of 'translator'; give only one");
}

TEST(SimVPOptions, NamesSizesThatATranslatorCanNotHave) {
    EXPECT_EQ(check_message("vit", [](auto& o) { o.hid_T = 500; }),
              "a.json: model.hid_T: 500 is not divisible by 8 (heads)");
    EXPECT_EQ(check_message("uniformer", [](auto& o) { o.hid_T = 500; }),
              "a.json: model.hid_T: 500 is not divisible by 8 (heads)");
    EXPECT_EQ(check_message("swin", [](auto& o) { o.hid_T = 500; }),
              "a.json: model.hid_T: 500 is not divisible by 8 (heads)");
    EXPECT_EQ(
        check_message("swin", [](auto& o) { o.height = 36; }),
        "a.json: model.in_shape: frames of 36x32 reach the translator as 18x16, not divisible by 4 (swin's "
        "window)");
    EXPECT_EQ(check_message("vit", [](auto& o) { o.frames = 3, o.hid_S = 10; }),
              "a.json: model.hid_S: 3 frames of 10 are 30 channels, not divisible by 8 (heads)");
    EXPECT_EQ(check_message("moganet", [](auto& o) { o.hid_T = 20; }),
              "a.json: model.hid_T: 20 is not divisible by 8 (orders of 1/8, 3/8 and 4/8)");
    EXPECT_EQ(check_message("hornet", [](auto& o) { o.hid_T = 20; }),
              "a.json: model.hid_T: 20 is not divisible by 8 (three halvings)");
    EXPECT_EQ(check_message("incepu", [](auto& o) { o.frames = 5, o.hid_S = 6; }),
              "a.json: model.hid_S: 5 frames of 6 are 30 channels, not divisible by 8 (groups)");
    EXPECT_EQ(check_message("gsta", [](auto& o) { o.hid_T = 4, o.mlp_ratio = 0.2; }),
              "a.json: model.mlp_ratio: 0.2 times 4 channels is less than one hidden channel");
    EXPECT_EQ(check_message("incepu", [](auto& o) { o.mlp_ratio = 0.001; }), "no error");
    EXPECT_EQ(check_message("gsta", [](auto& o) { o.hid_S = 7; }),
              "a.json: model.hid_S: 7 is odd (GroupNorm has 2 groups)");
    EXPECT_EQ(check_message("gsta", [](auto& o) { o.N_S = 3; }),
              "a.json: model.N_S: 3 is odd (layers come in pairs of stride 1 and 2)");
    EXPECT_EQ(check_message("gsta", [](auto& o) { o.N_T = 1; }),
              "a.json: model.N_T: 1 is out of range, expected 2 to 1024");
    EXPECT_EQ(check_message("gsta", [](auto& o) { o.hid_T = -4; }),
              "a.json: model.hid_T: -4 is out of range, expected 1 to 65536");
    EXPECT_EQ(check_message("gsta", [](auto& o) { o.spatio_kernel_enc = 4; }),
              "a.json: model.spatio_kernel_enc: 4 is even, expected an odd size");
    EXPECT_EQ(check_message("gsta", [](auto& o) { o.drop_path = 1.5; }),
              "a.json: model.drop_path: 1.5 is out of range, expected at least 0 and less than 1");
    EXPECT_EQ(check_message("incepu", [](auto& o) { o.hid_T = 12, o.hid_S = 6; }), "no error");  // one group
}

TEST(BatchNorm2d, RefusesToTrainOnOneValueAChannel) {
    BatchNorm2d norm(3);
    norm->train();
    EXPECT_NE(message_of([&] {
                  norm->forward(torch::ones({1, 3, 1, 1}));
              }).find("one value per channel ([1, 3, 1, 1])"),
              std::string::npos);
    EXPECT_EQ(norm->num_batches_tracked.item<std::int64_t>(), 0);
    norm->forward(torch::ones({2, 3, 1, 1}));
    norm->eval();
    norm->forward(torch::ones({1, 3, 1, 1}));
}

TEST(DropPath, KeepsSamplesWithTheirProbabilityAndScalesThem) {
    torch::manual_seed(0);
    constexpr std::int64_t samples = 100000;
    constexpr double rate = 0.3;
    const auto out = drop_path(torch::ones({samples, 3}), rate, /*training=*/true);
    const auto kept = out.select(1, 0) != 0;
    EXPECT_TRUE(out.select(1, 0).equal(out.select(1, 2)));  // whole samples
    EXPECT_TRUE(out.index({kept}).equal(torch::full_like(out.index({kept}), 1.0f / 0.7f)));
    // A binomial count; five standard deviations.
    const auto count = kept.sum().item<double>();
    EXPECT_NEAR(count, samples * (1 - rate), 5 * std::sqrt(samples * rate * (1 - rate)));
    EXPECT_TRUE(drop_path(torch::ones({8, 3}), rate, /*training=*/false).equal(torch::ones({8, 3})));
}

TEST(DropPath, RatesRiseOverTheBlocks) {
    auto options = small_options("gsta");
    options.N_T = 4;
    options.drop_path = 0.3;
    std::vector<double> rates;
    for (const auto& block : block_options(options)) rates.push_back(block.drop_path);
    // float32 in between, as torch.linspace has it; the last one as it was given.
    EXPECT_EQ(rates, (std::vector<double>{0.01f, 0.106666669249534607, 0.203333348035812378, 0.3}));
}

}  // namespace
}  // namespace stl
