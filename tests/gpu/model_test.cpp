// Whole networks by the kernels of our own against the plain ones: emulated on the CPU always, on a GPU where
// there is one.
#include "stl/ops/gpu_operations.h"
#include "tests/gpu/networks.h"
#include "tests/gpu/subject.h"
#include "tests/support/training_pass.h"

namespace stl {
namespace {

using test::distance;
using torch::Tensor;

class GpuNetwork : public test::NetworkTest {
  protected:
    SimVP model() const {
        torch::manual_seed(6);
        SimVP made(test::small(translator()));
        made->to(device);
        return made;
    }
};

/// Output and gradients of a training pass.
test::TrainingPass train_once(SimVP& model, const Tensor& x) {
    model->zero_grad();
    torch::manual_seed(7);  // stochastic depth
    const auto y = model->forward(x);
    y.pow(2).sum().backward();
    test::TrainingPass all{{"output", y.detach().clone()}};
    for (const auto& p : model->named_parameters()) {
        if (p.value().grad().defined()) all.emplace_back(p.key(), p.value().grad().clone());
    }
    return all;
}

/// What the running statistics of its norms are, in one tensor.
Tensor statistics(const SimVP& model) {
    std::vector<Tensor> all{torch::ones({1})};
    for (const auto& b : model->buffers()) all.push_back(b.to(torch::kCPU, torch::kFloat64).flatten());
    return torch::cat(all);
}

TEST_P(GpuNetwork, TrainsAsThePlainOne) {
    auto network = model();
    network->train();
    const auto x = torch::rand({2, 4, 1, 32, 32}).to(device);
    const auto plain = train_once(network, x);
    auto another = model();
    another->train();
    set_channels_last(*network);
    const auto operations = std::make_shared<ops::GpuOperations>(kernels(), device.type());
    set_operations(*network, operations);
    const auto ours = train_once(network, x);
    set_operations(*another, operations);
    train_once(another, x);
    train_once(another, x);
    EXPECT_LT(distance(statistics(another), statistics(network)), 1e-5);
    EXPECT_LT(distance(ours[0].second, plain[0].second), 1e-5);
    test::expect_same_gradients(ours, plain, 2e-4);
}

class ChannelsLast : public test::KernelTest {};

TEST_P(ChannelsLast, HoldsFromTheFirstConvolutionOfGrayFramesOn) {
    SimVP network(test::small("gsta"));
    network->to(device);
    set_channels_last(*network);
    const auto parameters = network->named_parameters();
    for (const auto& p : parameters) {
        if (p.value().dim() != 4) continue;
        EXPECT_EQ(p.value().suggest_memory_format(), torch::MemoryFormat::ChannelsLast) << p.key();
    }
    const auto& weight = parameters["enc.enc.0.conv.conv.weight"];
    ASSERT_EQ(weight.size(1), 1);
    const auto y = torch::conv2d(torch::rand({2, 1, 8, 8}, device), weight, {}, 1, weight.size(2) / 2);
    EXPECT_TRUE(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
}

INSTANTIATE_TEST_SUITE_P(devices, ChannelsLast, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(translators, GpuNetwork, test::every_network(), test::network_name);

}  // namespace
}  // namespace stl
