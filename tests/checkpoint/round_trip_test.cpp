// What is written reads back as it was.

#include <limits>

#include "stl/core/digest.h"
#include "tests/checkpoint/support.h"

namespace stl {
namespace {

using ::testing::HasSubstr;

Checkpoint complete() {
    auto checkpoint = read_checkpoint(models_folder / "moga" / "checkpoint.pth");
    checkpoint.epoch = 7;
    checkpoint.stl = {{"model", {{"translator", "moganet"}}},
                      {"seed", std::numeric_limits<std::uint64_t>::max()},
                      {"step", std::int64_t{1} << 40},
                      {"nested", {{"list", {1, 2.5, "drei", nullptr, true}}}}};
    checkpoint.hyper_parameters = {{"in_shape", {4, 2, 32, 32}}};
    checkpoint.scheduler["best"] = std::numeric_limits<double>::infinity();
    checkpoint.extra = {{"rng", torch::randint(256, {5056}, torch::kUInt8)}, {"model.x", torch::ones({2})}};
    return checkpoint;
}

TEST(RoundTrip, Pth) {
    const TemporaryFolder folder;
    const auto before = complete();
    write_checkpoint(folder / "a.pth", before);
    const auto after = read_checkpoint(folder / "a.pth");
    expect_same(after.state, before.state);
    expect_same(after.extra, before.extra);
    EXPECT_EQ(after.epoch, 7);
    EXPECT_EQ(after.stl.dump(), before.stl.dump());
    EXPECT_EQ(after.hyper_parameters, before.hyper_parameters);
    EXPECT_EQ(after.scheduler, before.scheduler);
    ASSERT_TRUE(after.optimizer.has_value());
    ASSERT_EQ(after.optimizer->parameters.size(), before.optimizer->parameters.size());
    for (std::size_t i = 0; i < after.optimizer->parameters.size(); ++i) {
        const auto& ours = after.optimizer->parameters[i];
        const auto& theirs = before.optimizer->parameters[i];
        EXPECT_EQ(ours.step, theirs.step);
        EXPECT_TRUE(same(ours.exp_avg, theirs.exp_avg));
        EXPECT_TRUE(same(ours.exp_avg_sq, theirs.exp_avg_sq));
    }
    for (const auto& [key, value] : before.optimizer->group.items())
        EXPECT_EQ(after.optimizer->group[key], value) << key;

    const auto light = read_checkpoint(folder / "a.pth", /*with_optimizer=*/false);
    EXPECT_FALSE(light.optimizer.has_value());
    EXPECT_TRUE(light.extra.empty());
    expect_same(light.state, before.state);
}

TEST(RoundTrip, WritingTwiceGivesTheSameBytes) {
    const TemporaryFolder folder;
    const auto checkpoint = complete();
    write_checkpoint(folder / "a.pth", checkpoint);
    write_checkpoint(folder / "b.pth", read_checkpoint(folder / "a.pth"));
    EXPECT_EQ(sha256_file(folder / "a.pth"), sha256_file(folder / "b.pth"));
}

TEST(RoundTrip, SafetensorsHoldWeightsAndOurRecord) {
    const TemporaryFolder folder;
    const auto before = complete();
    write_checkpoint(folder / "a.safetensors", before);
    const auto after = read_checkpoint(folder / "a.safetensors");
    expect_same(after.state, before.state);
    EXPECT_EQ(after.epoch, 7);
    EXPECT_EQ(after.stl.dump(), before.stl.dump());
    EXPECT_FALSE(after.optimizer.has_value());
}

TEST(RoundTrip, HalfStoresFloatingPointWeightsAsBf16AndLoadsThemWidened) {
    const TemporaryFolder folder;
    const auto before = complete();
    for (const auto* name : {"half.pth", "half.safetensors"}) {
        SCOPED_TRACE(name);
        write_checkpoint(folder / name, before, {.half = true});
        const auto after = read_checkpoint(folder / name, false);
        for (std::size_t i = 0; i < before.state.size(); ++i) {
            const auto& [key, tensor] = before.state[i];
            const auto& stored = find(after.state, key);
            EXPECT_EQ(stored.scalar_type(),
                      tensor.is_floating_point() ? torch::kBFloat16 : tensor.scalar_type());
            EXPECT_TRUE(torch::equal(stored, tensor.to(stored.scalar_type()))) << key;
        }
        SimVP model(model_options(after,
                                  {{"in_shape", {4, 2, 32, 32}},
                                   {"hid_S", 4},
                                   {"hid_T", 24},
                                   {"N_S", 2},
                                   {"N_T", 3},
                                   {"mlp_ratio", 3.0}},
                                  "test"));
        load_weights(*model, after.state, "test");
        const auto loaded = state_of(*model);
        const std::string key = "hid.enc.1.block.mlp.fc1.weight";
        EXPECT_EQ(find(loaded, key).scalar_type(), torch::kFloat32);
        EXPECT_TRUE(torch::equal(find(loaded, key),
                                 find(before.state, key).to(torch::kBFloat16).to(torch::kFloat32)));
    }
}

TEST(RoundTrip, HalfPrecisionOfOthersIsWidenedUponLoading) {
    auto checkpoint = read_checkpoint(models_folder / "gsta" / "checkpoint.pth", false);
    const auto config = read_json(models_folder / "gsta" / "config.json");
    for (auto& [name, tensor] : checkpoint.state) {
        if (tensor.is_floating_point()) tensor = tensor.to(torch::kHalf);
    }
    SimVP model(model_options(checkpoint, {{"in_shape", config["in_shape"]}}, "test"));
    load_weights(*model, checkpoint.state, "test");
    for (const auto& parameter : model->parameters()) EXPECT_EQ(parameter.scalar_type(), torch::kFloat32);
}

class Views : public ::testing::TestWithParam<const char*> {};

TEST_P(Views, StridesOffsetsAndTypesAreRespectedAndWrittenDense) {
    const TemporaryFolder folder;
    const auto views = read_checkpoint(made_folder / GetParam());
    const auto& whole = find(views.state, "whole");
    EXPECT_TRUE(torch::equal(whole, torch::arange(24, torch::kFloat32)));
    EXPECT_EQ(find(views.state, "middle").data_ptr<float>(), whole.data_ptr<float>() + 6);
    EXPECT_TRUE(torch::equal(find(views.state, "transposed"), whole.view({4, 6}).t()));
    EXPECT_TRUE(torch::equal(find(views.state, "every_third"), whole.slice(0, 1, 24, 3)));
    EXPECT_TRUE(torch::equal(find(views.state, "channels_last"),
                             torch::arange(48, torch::kFloat32).view({1, 3, 4, 4})));
    EXPECT_TRUE(find(views.state, "channels_last").is_contiguous(torch::MemoryFormat::ChannelsLast));
    EXPECT_TRUE(torch::equal(find(views.state, "expanded"), torch::full({3}, 5.0f)));
    EXPECT_EQ(find(views.state, "scalar").item<float>(), 2.5f);
    EXPECT_EQ(find(views.state, "empty").sizes(), (std::vector<std::int64_t>{0, 3}));
    EXPECT_TRUE(same(find(views.state, "half"), whole.to(torch::kHalf)));
    EXPECT_TRUE(same(find(views.state, "bfloat16"), whole.to(torch::kBFloat16)));
    EXPECT_TRUE(same(find(views.state, "double"), whole.to(torch::kDouble) / 3));
    EXPECT_TRUE(same(find(views.state, "int8"), -torch::arange(5, torch::kInt8)));
    EXPECT_TRUE(same(find(views.state, "boolean"), torch::arange(5) % 2 == 0));

    for (const auto* name : {"dense.pth", "dense.safetensors"}) {
        write_checkpoint(folder / name, views);
        const auto dense = read_checkpoint(folder / name);
        expect_same(dense.state, views.state);
        for (const auto& [key, tensor] : dense.state) EXPECT_TRUE(tensor.is_contiguous()) << key;
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, Views,
                         ::testing::Values("views.pth", "views_legacy.pth", "views_deflated.pth"));

TEST(RoundTrip, TensorsKeepTheirFileMapped) {
    const TemporaryFolder folder;
    write_checkpoint(folder / "a.pth", complete());
    torch::Tensor weight;
    {
        const auto checkpoint = read_checkpoint(folder / "a.pth");
        weight = find(checkpoint.state, "hid.enc.1.block.mlp.fc1.weight");
    }
    fs::remove(folder / "a.pth");
    EXPECT_TRUE(torch::isfinite(weight).all().item<bool>());
}

TEST(RoundTrip, WhatCannotBeStoredLeavesTheFileBefore) {
    const TemporaryFolder folder;
    write_checkpoint(folder / "a.pth", complete());
    const auto before = sha256_file(folder / "a.pth");
    Checkpoint bad;
    bad.state = {{"weight", torch::ones({2}, torch::kComplexFloat)}};
    EXPECT_THAT(error_of([&] { write_checkpoint(folder / "a.pth", bad); }), HasSubstr("ComplexFloat"));
    EXPECT_EQ(sha256_file(folder / "a.pth"), before);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder / ""), {}), 1);
}

TEST(RoundTrip, WhatIsNoCheckpointSaysSo) {
    const TemporaryFolder folder;
    write_text(folder / "a.pth", "");
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "a.pth"); }), HasSubstr("a.pth: is empty"));
    write_text(folder / "a.pth", "hello");
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "a.pth"); }), HasSubstr("a.pth: not a checkpoint"));
    write_text(folder / "a.safetensors", "hello");
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "a.safetensors"); }),
                HasSubstr("a.safetensors: not a safetensors"));
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "b.pth"); }), HasSubstr("b.pth: no such file"));
    Checkpoint empty;
    write_checkpoint(folder / "a.pth", empty);
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "a.pth"); }), HasSubstr("a.pth: holds no weights"));
}

TEST(RoundTrip, DamagedWeightsAreNoticed) {
    const TemporaryFolder folder;
    write_checkpoint(folder / "a.pth", complete());
    auto bytes = read_text(folder / "a.pth");
    bytes[bytes.size() / 2] ^= 1;
    write_text(folder / "a.pth", bytes);
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "a.pth"); }), HasSubstr("checksum"));
}

}  // namespace
}  // namespace stl
