// The ONNX form of networks. tools/peer/check compares its numbers in ONNX Runtime; here stands what can be seen without.
#include "stl/export/onnx_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "stl/models/layers/conv2d.h"
#include "stl/models/translators/block.h"
#include "tests/export/networks.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using testing::HasSubstr;

onnx::Model onnx_of(SimVP& network, std::int64_t frames, int opset = 17, bool half = false) {
    const auto pass = [&](const torch::Tensor& x) { return network->predict(x, frames); };
    return to_onnx(trace(*network, pass, {.input_shape = test::input_shape(*network), .half = half}), opset);
}

std::map<std::string, const onnx::Tensor*> tensors_of(const onnx::Model& model) {
    std::map<std::string, const onnx::Tensor*> tensors;
    for (const auto& tensor : model.tensors) tensors[tensor.name] = &tensor;
    return tensors;
}

std::multiset<std::string> operations_of(const onnx::Model& model) {
    std::multiset<std::string> operations;
    for (const auto& node : model.nodes) operations.insert(node.operation);
    return operations;
}

class OnnxGraphTest : public testing::TestWithParam<std::string> {
  protected:
    const torch::NoGradGuard no_grad;
    SimVP network = test::network_to_export(GetParam());
};

TEST_P(OnnxGraphTest, EveryNodeReadsWhatIsThereAndIsRead) {
    const auto model = onnx_of(network, 5);
    std::set<std::string> known{"frames"}, names, read{"prediction"};
    for (const auto& tensor : model.tensors) EXPECT_TRUE(known.insert(tensor.name).second) << tensor.name;
    for (const auto& node : model.nodes) {
        EXPECT_TRUE(names.insert(node.name).second) << node.name;
        for (const auto& input : node.inputs) {
            EXPECT_TRUE(known.contains(input)) << node.name << " reads " << input;
            read.insert(input);
        }
        for (const auto& output : node.outputs) EXPECT_TRUE(known.insert(output).second) << output;
    }
    for (const auto& name : known) EXPECT_TRUE(read.contains(name)) << name << " is never read";
}

TEST_P(OnnxGraphTest, TakesAndGivesFramesOfAnyBatch) {
    const auto model = onnx_of(network, 2);
    ASSERT_EQ(model.inputs.size(), 1U);
    EXPECT_EQ(model.inputs[0].name, "frames");
    const auto& o = network->options();
    const auto size = fmt::format("{}, {}, {}]", o.channels, o.height, o.width);
    EXPECT_EQ(to_string(model.inputs[0].shape), "[batch, 3, " + size);
    ASSERT_EQ(model.outputs.size(), 1U);
    EXPECT_EQ(model.outputs[0].name, "prediction");
    EXPECT_EQ(to_string(model.outputs[0].shape), "[batch, 2, " + size);
}

TEST_P(OnnxGraphTest, HoldsTheWeightsOnceByTheirNames) {
    const auto model = onnx_of(network, 5);  // two passes
    const auto tensors = tensors_of(model);
    for (const auto& item : network->named_parameters()) {
        ASSERT_TRUE(tensors.contains(item.key())) << item.key();
        const auto& found = *tensors.at(item.key());
        EXPECT_EQ(found.type, onnx::Type::float32);
        EXPECT_EQ(found.shape, item.value().sizes().vec());
        ASSERT_EQ(found.bytes.size(), item.value().nbytes());
        EXPECT_EQ(std::memcmp(found.bytes.data(), item.value().const_data_ptr(), found.bytes.size()), 0);
    }
}

TEST_P(OnnxGraphTest, HalvedItsWeightsAreBf16AndWidened) {
    const auto model = onnx_of(network, 2, 17, /*half=*/true);
    std::size_t halved = 0;
    for (const auto& tensor : model.tensors) halved += tensor.type == onnx::Type::bfloat16 ? 1 : 0;
    EXPECT_GT(halved, 0U);
    EXPECT_EQ(operations_of(model).count("Cast"), halved);
}

TEST_P(OnnxGraphTest, FoldedItHasNoBatchNorm) {
    network->hid->fold();
    const auto operations = operations_of(onnx_of(network, 2));
    // The norm at the end of a ConvMixer block stays where no convolution alone follows.
    EXPECT_LE(operations.count("BatchNormalization"), GetParam() == "convmixer" ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Translators, OnnxGraphTest, testing::ValuesIn(test::translator_names()),
                         [](const auto& info) { return info.param; });

TEST(OnnxGraph, AxesOfMeansAreAnInputFromOpset18On) {
    auto network = test::network_to_export("moganet");
    for (const auto& [opset, inputs] : {std::pair{17, 1U}, {18, 2U}}) {
        std::size_t means = 0;
        for (const auto& node : onnx_of(network, 1, opset).nodes) {
            if (node.operation != "ReduceMean") continue;
            ++means;
            EXPECT_EQ(node.inputs.size(), inputs) << opset;
        }
        EXPECT_GT(means, 0U);
    }
}

// Of networks that are none.

struct OneLayer : torch::nn::Module {
    OneLayer() {
        for (auto& parameter : layer->parameters()) parameter.requires_grad_(false).fill_(0.5);
        register_module("head", layer);
    }
    Linear layer{6, 6};
};

onnx::Model onnx_of(const std::function<torch::Tensor(OneLayer&, const torch::Tensor&)>& pass) {
    const torch::NoGradGuard no_grad;
    OneLayer network;
    return to_onnx(
        trace(network, [&](const torch::Tensor& x) { return pass(network, x); }, {.input_shape = {4, 6}}),
        17);
}

TEST(OnnxGraph, AnOperatorThatTheTableHasNotIsNamedWithItsPlace) {
    EXPECT_THAT(
        test::error_of([] {
            onnx_of([](OneLayer& network, const torch::Tensor& x) {
                return network.layer->forward(x).cumsum(1);
            });
        }),
        HasSubstr(
            "aten::cumsum at head: the table of ONNX operators (stl/export/operators.cpp) does not have it"));
}

TEST(OnnxGraph, AnOperatorThatCannotBeWrittenWithTheseArgumentsSaysWhy) {
    const auto refusal = [](const Pass& pass) {
        return test::error_of(
            [&] { onnx_of([&](OneLayer& /*network*/, const torch::Tensor& x) { return pass(x); }); });
    };
    EXPECT_THAT(refusal([](const torch::Tensor& x) { return torch::div(x, x, "floor"); }),
                HasSubstr("aten::div at frames: rounds"));
    EXPECT_THAT(refusal([](const torch::Tensor& x) { return torch::gelu(x, "tanh"); }), HasSubstr("tanh"));
    EXPECT_THAT(refusal([](const torch::Tensor& x) { return torch::dropout(x, 0.0, /*train=*/true); }),
                HasSubstr("the network is in training mode"));
    EXPECT_THAT(refusal([](const torch::Tensor& x) { return x.narrow(0, 0, x.size(0)); }),
                HasSubstr("aten::narrow at frames: takes apart axis 0, whose size depends on the batch"));
    EXPECT_THAT(refusal([](const torch::Tensor& x) { return x.narrow(1, 0, x.size(0)); }),
                HasSubstr("its 'length' depends on the batch size"));
    EXPECT_THAT(
        refusal([](const torch::Tensor& x) {
            return torch::matmul(x.flatten(1), x.flatten(1).transpose(0, 1)).view({x.size(0), x.size(0), 1});
        }),
        HasSubstr("depend on the batch"));
}

TEST(OnnxGraph, AttributesAreThoseOfTheCall) {
    const auto model = onnx_of([](OneLayer& /*network*/, const torch::Tensor& x) {
        return torch::leaky_relu(torch::roll(x, {-1}, {2}).transpose(1, 2), 0.25).narrow(1, -3, 2);
    });
    ASSERT_EQ(model.nodes.size(), 6U);
    const auto tensors = tensors_of(model);
    const auto values = [&](const Name& name) {
        const auto bytes = tensors.at(name)->bytes;
        std::vector<std::int64_t> list(bytes.size() / 8);
        std::memcpy(list.data(), bytes.data(), bytes.size());
        return list;
    };
    const auto slice = [&](const onnx::Node& node) {  // begin, end, axis
        return std::vector{values(node.inputs.at(1)).at(0), values(node.inputs.at(2)).at(0),
                           values(node.inputs.at(3)).at(0)};
    };
    const auto& nodes = model.nodes;
    // The evaluation order of the two is the compiler's.
    const auto& joined = nodes[2];
    EXPECT_EQ(joined.operation, "Concat");
    const auto& first = joined.inputs[0] == nodes[0].outputs[0] ? nodes[0] : nodes[1];
    const auto& second = joined.inputs[0] == nodes[0].outputs[0] ? nodes[1] : nodes[0];
    EXPECT_EQ(slice(first), (std::vector<std::int64_t>{1, 6, 2}));
    EXPECT_EQ(slice(second), (std::vector<std::int64_t>{0, 1, 2}));
    EXPECT_EQ(nodes[3].attributes, (onnx::Attributes{{"perm", std::vector<std::int64_t>{0, 2, 1}}}));
    EXPECT_EQ(nodes[4].attributes, (onnx::Attributes{{"alpha", 0.25F}}));
    EXPECT_EQ(slice(nodes[5]), (std::vector<std::int64_t>{3, 5, 1}));
    EXPECT_EQ(nodes[5].outputs, (Names{"prediction"}));
}

}  // namespace
}  // namespace stl
