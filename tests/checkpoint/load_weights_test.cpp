#include "tests/checkpoint/support.h"

namespace stl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

SimVP small_model(const std::string& translator = "gsta") {
    return SimVP(SimVPOptions::from_json({{"translator", translator},
                                          {"in_shape", {4, 1, 32, 32}},
                                          {"hid_S", 8},
                                          {"hid_T", 16},
                                          {"N_S", 2},
                                          {"N_T", 2}},
                                         "test"));
}

NamedTensors copy_of(const NamedTensors& state) {
    NamedTensors copy;
    for (const auto& [name, tensor] : state) copy.emplace_back(name, tensor.clone());
    return copy;
}

TEST(LoadWeights, AMismatchListsNamesAndChangesNothing) {
    auto model = small_model();
    auto state = copy_of(state_of(*small_model()));
    state.erase(state.begin());
    state.emplace_back("extra.weight", torch::zeros({1}));
    find(state, "hid.enc.0.reduction.bias");
    for (auto& [name, tensor] : state) {
        if (name == "hid.enc.0.reduction.bias") tensor = torch::zeros({3});
    }
    const auto before = copy_of(state_of(*model));
    const auto message = error_of([&] { load_weights(*model, state, "x.pth"); });
    EXPECT_THAT(
        message,
        AllOf(HasSubstr("x.pth: the weights do not fit the model gsta"),
              HasSubstr("1 missing (enc.enc.0.conv.conv.weight)"), HasSubstr("1 unexpected (extra.weight)"),
              HasSubstr("1 of another shape (hid.enc.0.reduction.bias [3] instead of [16])")));
    expect_same(state_of(*model), before);
}

TEST(LoadWeights, LongListsAreShortened) {
    auto model = small_model();
    const auto message = error_of([&] { load_weights(*model, {{"a", torch::zeros({1})}}, "x.pth"); });
    EXPECT_THAT(message, AllOf(HasSubstr(" missing ("), HasSubstr(", ...)"), HasSubstr("1 unexpected (a)")));
    EXPECT_LT(message.size(), 400u);
}

TEST(LoadWeights, BuffersThatLaterVersionsDoNotStoreMayBeAbsentOrThere) {
    auto model = small_model("swin");
    auto state = copy_of(state_of(*small_model("swin")));
    const auto whole = state.size();
    std::erase_if(state, [](const auto& item) {
        return item.first.ends_with("attn_mask") || item.first.ends_with("relative_position_index");
    });
    EXPECT_LT(state.size(), whole);
    load_weights(*model, state, "test");
    EXPECT_TRUE(torch::equal(find(state_of(*model), "hid.enc.0.block.norm1.weight"),
                             find(state, "hid.enc.0.block.norm1.weight")));
    state.emplace_back("hid.enc.7.block.attn_mask", torch::zeros({1}));
    load_weights(*model, state, "test");
}

TEST(LoadWeights, AMaskOfAnotherFrameSizeIsTheModels) {
    const auto swin = [](std::int64_t height, std::int64_t width) {
        return SimVP(SimVPOptions::from_json({{"translator", "swin"},
                                              {"in_shape", {4, 1, height, width}},
                                              {"hid_S", 8},
                                              {"hid_T", 16},
                                              {"N_S", 2},
                                              {"N_T", 3}},
                                             "test"));
    };
    const std::string mask = "hid.enc.1.block.attn_mask";
    const std::string weight = "hid.enc.1.block.norm1.weight";
    const auto trained = copy_of(state_of(*swin(32, 32)));
    auto larger = swin(64, 32);
    const auto before = find(copy_of(state_of(*larger)), mask);
    ASSERT_NE(find(trained, mask).sizes(), before.sizes());
    load_weights(*larger, trained, "test");
    EXPECT_TRUE(same(find(state_of(*larger), mask), before));
    EXPECT_TRUE(same(find(state_of(*larger), weight), find(trained, weight)));

    auto other = trained;
    for (auto& [name, tensor] : other) {
        if (name == mask) tensor = torch::ones_like(tensor);
        if (name == weight) tensor = torch::zeros({3});
    }
    EXPECT_THAT(error_of([&] { load_weights(*larger, other, "test"); }),
                HasSubstr("1 of another shape (hid.enc.1.block.norm1.weight"));
}

TEST(LoadWeights, WrappersBeforeTheNamesAreRemoved) {
    const TemporaryFolder folder;
    const auto state = state_of(*small_model());
    for (const std::string prefix :
         {"module.", "model.", "_orig_mod.", "model.module.", "module._orig_mod."}) {
        Checkpoint checkpoint;
        for (const auto& [name, tensor] : state) checkpoint.state.emplace_back(prefix + name, tensor);
        for (const auto* file : {"a.pth", "a.safetensors"}) {
            write_checkpoint(folder / file, checkpoint);
            expect_same(read_checkpoint(folder / file).state, state);
        }
    }
    Checkpoint twice;
    twice.state = {{"a", torch::zeros({1})}, {"module.a", torch::zeros({1})}};
    write_checkpoint(folder / "twice.pth", twice);
    EXPECT_THAT(error_of([&] { read_checkpoint(folder / "twice.pth"); }), HasSubstr("'a' stands twice"));
}

/// A checkpoint with the given optimizer dictionary, by hand.
fs::path with_optimizer(const TemporaryFolder& folder, const std::function<void(pickle::Writer&)>& write) {
    return made_by_hand(folder, [&](pickle::Writer& out) {
        write_weights(out, "state_dict", {"weight"});
        out.text("optimizer");
        write(out);
    });
}

TEST(ReadOptimizer, OtherOptimizersAndSeveralGroupsAreRefusedOnlyWhenAskedFor) {
    const TemporaryFolder folder;
    const auto rmsprop = with_optimizer(folder, [](pickle::Writer& out) {
        out.begin_dict();
        out.text("state");
        out.begin_dict();
        out.integer(0);
        out.begin_dict();
        out.text("step");
        out.integer(3);
        out.text("square_avg");
        out.tensor(DType::f32, {2}, 0);
        out.end_dict();
        out.end_dict();
        out.text("param_groups");
        out.json({{{"lr", 0.1}, {"params", {0}}}});
        out.end_dict();
    });
    EXPECT_THAT(error_of([&] { read_checkpoint(rmsprop); }),
                HasSubstr("made.pth: optimizer.state[0]: 'square_avg': a state of neither Adam nor SGD"));
    EXPECT_EQ(read_checkpoint(rmsprop, false).state.size(), 1u);

    const auto groups = with_optimizer(folder, [](pickle::Writer& out) {
        out.json({{"state", Json::object()}, {"param_groups", {{{"params", {0}}}, {{"params", {1}}}}}});
    });
    EXPECT_THAT(error_of([&] { read_checkpoint(groups); }),
                HasSubstr("optimizer.param_groups: 2 where one was expected"));
    EXPECT_EQ(read_checkpoint(groups, false).state.size(), 1u);

    const auto empty = with_optimizer(folder, [](pickle::Writer& out) {
        out.json({{"state", Json::object()}, {"param_groups", {{{"params", {0, 1}}, {"lr", 0.1}}}}});
    });
    const auto read = read_checkpoint(empty);
    ASSERT_EQ(read.optimizer->parameters.size(), 2u);
    EXPECT_FALSE(read.optimizer->parameters[0].exp_avg.defined());
    EXPECT_EQ(read.optimizer->group, Json({{"lr", 0.1}}));
}

}  // namespace
}  // namespace stl
