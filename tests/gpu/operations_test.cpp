// Each operation of stl/ops/gpu_operations.h against the chain of LibTorch's that defines it, in float64, forward
// and backward: with the kernels emulated on the CPU always, on a GPU where there is one.
#include "stl/ops/gpu_operations.h"

#include <ATen/autocast_mode.h>

#include "tests/gpu/subject.h"
#include "tests/support/depthwise.h"

namespace stl {
namespace {

using test::bf16_bound;
using test::depthwise;
using test::distance;
using test::float_bound;
using test::fp16_bound;
using test::Tensors;
using torch::Tensor;

class GpuOperationsTest : public test::KernelTest {
  protected:
    ops::GpuOperations operations() const { return ops::GpuOperations(kernels(), device.type()); }

    using Operation = std::function<Tensor(const Tensors&)>;

    /// The first `pictures` inputs have each of the types, the rest stay float32.
    void expect_same(const Tensors& inputs, std::size_t pictures, const Operation& ours,
                     const Operation& plain) {
        for (const auto& [type, bound] : {std::pair{torch::kFloat32, float_bound},
                                          {torch::kBFloat16, bf16_bound},
                                          {torch::kFloat16, fp16_bound}}) {
            SCOPED_TRACE(type);
            Tensors given, exact;
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                const auto x = i < pictures ? inputs[i].to(type) : inputs[i];
                given.push_back(x.to(device));
                exact.push_back(x.to(torch::kFloat64));
            }
            if (given[0].dim() == 4) given[0] = given[0].contiguous(torch::MemoryFormat::ChannelsLast);
            compare(test::with_gradients(given, ours), test::with_gradients(exact, plain), bound);
        }
    }

    static void compare(const Tensors& found, const Tensors& expected, double bound) {
        ASSERT_EQ(found.size(), expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
            ASSERT_EQ(found[i].sizes(), expected[i].sizes()) << i;
            EXPECT_LT(distance(found[i], expected[i]), bound)
                << (i == 0 ? "result" : "gradient of input ") << (i == 0 ? "" : std::to_string(i - 1));
        }
    }
};

TEST_P(GpuOperationsTest, NormSiluIsTheChainOfBoth) {
    const auto ours = operations();
    torch::manual_seed(1);
    for (const auto& [size, groups] :
         std::vector<std::pair<std::vector<std::int64_t>, int>>{{{3, 32, 8, 8}, 2},
                                                                {{2, 6, 5, 7}, 2},
                                                                {{1, 4, 1, 3}, 2},
                                                                {{2, 8, 33, 9}, 1},
                                                                {{1, 64, 4, 4}, 8}}) {
        SCOPED_TRACE(testing::PrintToString(size));
        const auto channels = size[1];
        expect_same(
            {2 * torch::randn(size) + 5, torch::randn({channels}), torch::randn({channels})}, 1,
            [&, groups = groups](const Tensors& t) {
                return ours.group_norm_silu(t[0], {groups, t[1], t[2], 1e-5}, false);
            },
            [groups = groups](const Tensors& t) {
                return torch::silu(torch::group_norm(t[0], groups, t[1], t[2], 1e-5));
            });
    }
}

TEST_P(GpuOperationsTest, NormSiluKeepsItsDigitsBesideALargeMean) {
    const auto ours = operations();
    torch::manual_seed(9);
    const auto x = torch::randn({2, 8, 16, 16}) + 1000;
    const auto ones = torch::ones({8}), zeros = torch::zeros({8});
    const auto found =
        ours.group_norm_silu(x.to(device), {2, ones.to(device), zeros.to(device), 1e-5}, false);
    const auto expected = torch::silu(torch::group_norm(x.to(torch::kFloat64), 2));
    EXPECT_LT(distance(found, expected), 3e-4);
}

TEST_P(GpuOperationsTest, NormSiluShuffles) {
    const auto ours = operations();
    torch::manual_seed(2);
    for (const auto& size : {std::vector<std::int64_t>{2, 64, 4, 6}, {1, 8, 3, 5}, {3, 24, 2, 2}}) {
        SCOPED_TRACE(testing::PrintToString(size));
        const auto channels = size[1] / 4;
        expect_same(
            {torch::randn(size) - 1, torch::randn({channels}), torch::randn({channels})}, 1,
            [&](const Tensors& t) {
                return ours.group_norm_silu(t[0], {2, t[1], t[2], 1e-5}, true);
            },
            [](const Tensors& t) {
                return torch::silu(torch::group_norm(torch::pixel_shuffle(t[0], 2), 2, t[1], t[2], 1e-5));
            });
    }
}

TEST_P(GpuOperationsTest, DepthwiseIsTheGroupedConvolution) {
    const auto ours = operations();
    torch::manual_seed(3);
    for (const std::int64_t kernel : {3, 5, 7}) {
        for (const std::int64_t dilation : {1, 2, 3}) {
            for (const auto& size : {std::vector<std::int64_t>{2, 8, 16, 16}, {1, 5, 9, 11}, {3, 4, 3, 2}}) {
                SCOPED_TRACE(testing::PrintToString(std::tuple(kernel, dilation, size)));
                const auto channels = size[1], padding = dilation * (kernel - 1) / 2;
                expect_same(
                    {torch::randn(size), torch::randn({channels, 1, kernel, kernel}),
                     torch::randn({channels})},
                    1,
                    [=, &ours](const Tensors& t) {
                        return ours.conv2d(t[0], depthwise(t[1], t[2], dilation));
                    },
                    [=](const Tensors& t) {
                        return torch::conv2d(t[0], t[1], t[2], 1, padding, dilation, channels);
                    });
            }
        }
    }
}

TEST_P(GpuOperationsTest, DepthwiseReadsSlicesOfChannelsInPlace) {
    const auto ours = operations();
    torch::manual_seed(4);
    const auto x = torch::randn({2, 24, 6, 7});
    expect_same(
        {x, torch::randn({8, 1, 3, 3}), torch::randn({8})}, 1,
        [&](const Tensors& t) { return ours.conv2d(t[0].narrow(1, 8, 8), depthwise(t[1], t[2], 2)); },
        [](const Tensors& t) { return torch::conv2d(t[0].narrow(1, 8, 8), t[1], t[2], 1, 2, 2, 8); });
}

TEST_P(GpuOperationsTest, ResidualScalesAndKeeps) {
    const auto ours = operations();
    torch::manual_seed(5);
    const auto keep = torch::tensor({0.0F, 1.25F, 1.25F}).view({3, 1, 1, 1});
    for (const std::int64_t channels : {16, 6, 130}) {
        SCOPED_TRACE(channels);
        const std::vector<std::int64_t> size{3, channels, 5, 4};
        const Tensors inputs{torch::randn(size), torch::randn(size), torch::randn({channels, 1, 1})};
        expect_same(
            inputs, 2,
            [&](const Tensors& t) { return ours.residual(t[0], t[1], t[2], keep.to(t[0].device())); },
            [&](const Tensors& t) { return t[0] + keep * (t[2] * t[1]); });
        expect_same(
            inputs, 2, [&](const Tensors& t) { return ours.residual(t[0], t[1], t[2], {}); },
            [](const Tensors& t) { return t[0] + t[2] * t[1]; });
    }
}

TEST_P(GpuOperationsTest, ResidualKeepsAWideSumOfNarrowBranches) {
    const auto ours = operations();
    torch::manual_seed(6);
    const auto narrow = torch::randn({2, 8, 3, 3}).to(torch::kBFloat16);
    const Tensors inputs{torch::randn({2, 8, 3, 3}), narrow.to(torch::kFloat32), torch::randn({8})};
    const auto sum = [&](const Tensors& t) {
        return ours.residual(t[0], t[1].to(torch::kBFloat16), t[2], {});
    };
    const auto found =
        test::with_gradients({inputs[0].to(device), inputs[1].to(device), inputs[2].to(device)}, sum);
    EXPECT_EQ(found[0].scalar_type(), torch::kFloat32);
    const auto expected = test::with_gradients(
        {inputs[0].to(torch::kFloat64), inputs[1].to(torch::kFloat64), inputs[2].to(torch::kFloat64)},
        [](const Tensors& t) {
            return t[0] + t[2].view({8, 1, 1}) * t[1];
        });
    EXPECT_LT(distance(found[0], expected[0]), float_bound);
    EXPECT_LT(distance(found[1], expected[1]), float_bound);
    EXPECT_LT(distance(found[2], expected[2]), bf16_bound);
    EXPECT_LT(distance(found[3], expected[3]), float_bound);
}

TEST_P(GpuOperationsTest, ScaledSumScalesTheWiderOne) {
    const auto ours = operations();
    torch::manual_seed(10);
    const auto x = torch::randn({2, 6, 5, 3}), branch = torch::randn({2, 6, 5, 3}), scale = torch::randn({6});
    for (const auto& [wide, narrow, bound] : {std::tuple{torch::kFloat32, torch::kFloat32, float_bound},
                                              {torch::kFloat32, torch::kBFloat16, float_bound},
                                              {torch::kFloat32, torch::kFloat16, float_bound},
                                              {torch::kBFloat16, torch::kBFloat16, bf16_bound},
                                              {torch::kFloat16, torch::kFloat16, fp16_bound}}) {
        SCOPED_TRACE(testing::PrintToString(std::pair(wide, narrow)));
        const auto a = x.to(wide), b = branch.to(narrow);
        const auto y = ours.scaled_sum(a.to(device), scale.to(device), b.to(device));
        EXPECT_EQ(y.scalar_type(), wide);
        const auto expected =
            scale.to(torch::kFloat64).view({6, 1, 1}) * a.to(torch::kFloat64) + b.to(torch::kFloat64);
        EXPECT_LT(distance(y, expected), bound);
    }
}

TEST_P(GpuOperationsTest, GateIsTheProductOfBoth) {
    const auto ours = operations();
    torch::manual_seed(7);
    for (const auto& size : {std::vector<std::int64_t>{2, 16, 5, 4}, {1, 3, 5, 7}}) {
        SCOPED_TRACE(testing::PrintToString(size));
        expect_same(
            {3 * torch::randn(size), 3 * torch::randn(size)}, 2,
            [&](const Tensors& t) { return ours.silu_gate(t[0], t[1]); },
            [](const Tensors& t) { return torch::silu(t[0]) * torch::silu(t[1]); });
    }
}

TEST_P(GpuOperationsTest, BatchNormIsTrainingsOwn) {
    const auto ours = operations();
    torch::manual_seed(11);
    for (const auto& size : {std::vector<std::int64_t>{3, 16, 5, 4}, {1, 6, 7, 9}, {3, 1, 1, 1}}) {
        for (const bool of_gelu : {false, true}) {
            SCOPED_TRACE(testing::PrintToString(std::pair(size, of_gelu)));
            const auto channels = size[1];
            const auto mean = torch::randn({channels}), var = torch::rand({channels});
            const auto norm = [&](const Tensors& t, const Tensor& m, const Tensor& v) {
                return torch::batch_norm(of_gelu ? torch::gelu(t[0]) : t[0], t[1], t[2], m, v, true, 0.1,
                                         1e-5, false);
            };
            Tensor moved_mean, moved_var, plain_mean, plain_var;  // of the last type, which is float16
            expect_same(
                {2 * torch::randn(size) + 3, torch::randn({channels}), torch::randn({channels})}, 1,
                [&](const Tensors& t) {
                    moved_mean = mean.to(t[0].device(), torch::kFloat32, false, /*copy=*/true);
                    moved_var = var.to(t[0].device(), torch::kFloat32, false, /*copy=*/true);
                    const ops::BatchNorm trained{t[1], t[2], moved_mean, moved_var, 0.1, 1e-5, true};
                    return of_gelu ? ours.gelu_batch_norm(t[0], trained) : ours.batch_norm(t[0], trained);
                },
                [&](const Tensors& t) {
                    plain_mean = mean.to(torch::kFloat64);
                    plain_var = var.to(torch::kFloat64);
                    return norm(t, plain_mean, plain_var);
                });
            EXPECT_LT(distance(moved_mean, plain_mean), float_bound);
            EXPECT_LT(distance(moved_var, plain_var), float_bound);
        }
    }
}

TEST_P(GpuOperationsTest, BatchNormKeepsItsDigitsBesideALargeMean) {
    const auto ours = operations();
    torch::manual_seed(12);
    const auto x = torch::randn({4, 8, 16, 16}) + 1000;
    const auto ones = torch::ones({8}).to(device), zeros = torch::zeros({8}).to(device);
    const auto mean = zeros.clone(), var = ones.clone();
    const auto found = ours.batch_norm(x.to(device), {ones, zeros, mean, var, 0.1, 1e-5, true});
    const auto expected = torch::batch_norm(x.to(torch::kFloat64), {}, {}, {}, {}, true, 0.1, 1e-5, false);
    EXPECT_LT(distance(found, expected), 3e-4);
}

TEST_P(GpuOperationsTest, ChannelAggregationIsMogaNets) {
    const auto ours = operations();
    torch::manual_seed(13);
    for (const auto& size : {std::vector<std::int64_t>{2, 16, 5, 4}, {1, 6, 7, 9}, {3, 300, 2, 1}}) {
        SCOPED_TRACE(testing::PrintToString(size));
        const auto channels = size[1];
        // A depthwise convolution that changes nothing.
        auto same = torch::zeros({channels, 1, 3, 3}, device);
        same.select(3, 1).select(2, 1).fill_(1);
        const auto none = torch::zeros({channels}, device);
        expect_same(
            {torch::randn(size), torch::randn({1, channels, 1, 1}) / std::sqrt(channels), torch::randn({1}),
             torch::randn({1, channels, 1, 1})},
            1,
            [&](const Tensors& t) {
                return ours.channel_aggregation(t[0], depthwise(same, none), {.weight = t[1], .bias = t[2]},
                                                t[3]);
            },
            [](const Tensors& t) {
                const auto h = torch::gelu(t[0]);
                return h + t[3] * (h - torch::gelu(torch::conv2d(h, t[1], t[2])));
            });
    }
}

TEST_P(GpuOperationsTest, DecomposeSiluIsMogaNets) {
    const auto ours = operations();
    torch::manual_seed(14);
    for (const auto& size : {std::vector<std::int64_t>{2, 16, 5, 4}, {1, 6, 7, 9}, {3, 300, 2, 1}}) {
        SCOPED_TRACE(testing::PrintToString(size));
        expect_same(
            {2 * torch::randn(size) + 1, torch::randn({1, size[1], 1, 1})}, 1,
            [&](const Tensors& t) { return ours.decompose_silu(t[0], t[1]); },
            [](const Tensors& t) {
                return torch::silu(t[0] + t[1] * (t[0] - t[0].mean({2, 3}, /*keepdim=*/true)));
            });
    }
}

TEST_P(GpuOperationsTest, TakesTensorsInAnyLayout) {
    const auto ours = operations();
    torch::manual_seed(8);
    const auto x = torch::randn({2, 8, 6, 6}).to(device), weight = torch::randn({8, 1, 3, 3}).to(device),
               bias = torch::randn({8}).to(device);
    const auto last = x.contiguous(torch::MemoryFormat::ChannelsLast);
    EXPECT_TRUE(torch::equal(ours.conv2d(x, depthwise(weight, bias, 1)),
                             ours.conv2d(last, depthwise(weight, bias, 1))));
    EXPECT_TRUE(torch::equal(ours.silu_gate(x, last), ours.silu_gate(last, last)));
    // An address that no pack can be read from.
    const auto odd = torch::randn({2 * 6 * 6 * 8 + 1})
                         .to(device)
                         .narrow(0, 1, 2 * 6 * 6 * 8)
                         .view({2, 6, 6, 8})
                         .permute({0, 3, 1, 2});
    EXPECT_TRUE(torch::equal(ours.conv2d(odd, depthwise(weight, bias, 1)),
                             ours.conv2d(odd.clone(), depthwise(weight, bias, 1))));
}

TEST_P(GpuOperationsTest, TakesNothingElse) {
    const auto ours = operations();
    const auto at = [&](torch::Dtype type) {
        return torch::zeros({1, 4, 3, 3}, torch::dtype(type).device(device));
    };
    EXPECT_TRUE(ours.takes(at(torch::kFloat32)));
    EXPECT_TRUE(ours.takes(at(torch::kBFloat16)));
    EXPECT_FALSE(ours.takes(at(torch::kFloat64)));
    EXPECT_TRUE(ours.takes(at(torch::kFloat16)));
    EXPECT_FALSE(ours.takes(torch::zeros({4, 3, 3}, device)));
    EXPECT_FALSE(ours.takes(torch::zeros({0, 4, 3, 3}, device)));
}

TEST_P(GpuOperationsTest, MixedPrecisionNarrowsAsAConvolutionDoes) {
    const auto ours = operations();
    const auto x = torch::randn({1, 4, 6, 6}).to(device), weight = torch::randn({4, 1, 3, 3}).to(device),
               bias = torch::randn({4}).to(device);
    const auto type = device.type();
    at::autocast::set_autocast_enabled(type, true);
    at::autocast::set_autocast_dtype(type, torch::kBFloat16);
    const auto y = ours.conv2d(x, depthwise(weight, bias, 1)),
               plain = torch::conv2d(x, weight, bias, 1, 1, 1, 4);
    const auto sum = ours.residual(y, y, bias, {});
    at::autocast::set_autocast_enabled(type, false);
    at::autocast::clear_cache();
    EXPECT_EQ(y.scalar_type(), plain.scalar_type());
    EXPECT_EQ(sum.scalar_type(), torch::kFloat32);
    EXPECT_LT(distance(y, plain), 2 * bf16_bound);
}

INSTANTIATE_TEST_SUITE_P(devices, GpuOperationsTest, testing::Values("cpu", "cuda"), test::device_name);

TEST(GpuOperations, OfAGpuLeaveTensorsOfTheCpu) {
    EXPECT_EQ(gpu::kernels_for(torch::kCPU), nullptr);
    const auto x = torch::zeros({1, 2, 3, 3});
    EXPECT_TRUE(ops::GpuOperations(gpu::emulated_kernels(), torch::kCPU).takes(x));
    EXPECT_FALSE(ops::GpuOperations(gpu::emulated_kernels(), torch::kCUDA).takes(x));
}

TEST(GpuOperations, DepthwiseKernelsAreOfSomeSizes) {
    EXPECT_TRUE(gpu::has_depthwise(7, 3));
    EXPECT_FALSE(gpu::has_depthwise(11, 1));
    EXPECT_FALSE(gpu::has_depthwise(3, 4));
    EXPECT_FALSE(gpu::has_depthwise(3, 0));
}

TEST(GpuPlugin, SaysInOneLineWhyItHasNoKernels) {
    if (!list_gpus().empty()) GTEST_SKIP() << "there is a GPU here";
    // Without libtorch_cuda in the process the plugin cannot be opened, built or not.
    const auto reason = gpu::why_no_kernels();
    EXPECT_NE(reason.find("libstl_cuda.so"), std::string::npos) << reason;
    EXPECT_EQ(reason.find('\n'), std::string::npos);
    EXPECT_EQ(gpu::kernels_for(torch::Device(torch::kCUDA, 0)), nullptr);
}

}  // namespace
}  // namespace stl
