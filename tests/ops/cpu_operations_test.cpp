// The operations on a CPU against the chains of LibTorch's that define them, forward and backward; a training step of
// every translator against the plain one.
#include "stl/ops/cpu_operations.h"

#include <gtest/gtest.h>

#include "stl/models/layers/attention.h"
#include "stl/models/layers/conv_sc.h"
#include "stl/models/layers/mlp.h"
#include "stl/models/simvp.h"
#include "stl/ops/linear_cpu.h"
#include "stl/ops/pointwise.h"
#include "stl/ops/tiled_convolution.h"
#include "stl/ops/winograd.h"
#include "stl/runtime/autocast.h"
#include "tests/support/depthwise.h"
#include "tests/support/distance.h"
#include "tests/support/emulated_tiles.h"
#include "tests/support/training_pass.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

using test::depthwise;
using test::distance;
using torch::Tensor;

const ops::CpuOperations cpu;

/// Largest difference, relative to the largest expected value.
double deviation(const Tensor& found, const Tensor& expected) {
    const auto scale = std::max(expected.abs().max().item<double>(), 1e-12);
    return (found.to(torch::kFloat64) - expected.to(torch::kFloat64)).abs().max().item<double>() / scale;
}

/// f's result and the gradients of sum(result * weights) for all of `inputs`.
template <class F>
std::vector<Tensor> with_gradients(std::vector<Tensor> inputs, torch::Dtype type, F f) {
    for (auto& x : inputs) x = x.detach().to(type).requires_grad_();
    const auto y = f(inputs);
    torch::manual_seed(5);
    const auto weights = torch::randn(y.sizes(), torch::kFloat64).to(type);
    (y * weights).sum().backward();
    std::vector<Tensor> all{y.detach()};
    for (const auto& x : inputs) all.push_back(x.grad());
    return all;
}

template <class Ours, class Plain>
void expect_same(const std::vector<Tensor>& inputs, Ours ours, Plain plain) {
    const auto found = with_gradients(inputs, torch::kFloat32, ours);
    const auto expected = with_gradients(inputs, torch::kFloat64, plain);
    for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].sizes(), expected[i].sizes()) << i;
        EXPECT_LT(deviation(found[i], expected[i]), 2e-5) << (i == 0 ? "result" : "gradient") << " " << i;
    }
}

TEST(CpuOperations, DepthwiseIsTheGroupedConvolution) {
    torch::manual_seed(1);
    for (const auto& [kernel, dilation] : std::vector<std::pair<int, int>>{{3, 1}, {5, 2}, {7, 3}, {11, 1}}) {
        SCOPED_TRACE(kernel);
        expect_same(
            {torch::randn({2, 5, 16, 19}), torch::randn({5, 1, kernel, kernel}), torch::randn({5})},
            [&](const auto& t) { return cpu.conv2d(t[0], depthwise(t[1], t[2], dilation)); },
            [&](const auto& t) {
                return torch::conv2d(t[0], t[1], t[2], 1, dilation * (kernel - 1) / 2, dilation, 5);
            });
    }
}

TEST(CpuOperations, DepthwiseTakesPicturesInAnyMemoryFormat) {
    torch::manual_seed(1);
    const auto x = torch::randn({2, 8, 16, 16}), weight = torch::randn({8, 1, 3, 3}),
               bias = torch::randn({8});
    EXPECT_LT(
        deviation(cpu.conv2d(x.contiguous(torch::MemoryFormat::ChannelsLast), depthwise(weight, bias, 1)),
                  cpu.conv2d(x, depthwise(weight, bias, 1))),
        1e-7);
}

std::shared_ptr<const ops::Operations> operations(bool fast) {
    return fast ? ops::fast_operations(torch::kCPU) : ops::plain_operations();
}

struct LayerCase {
    std::int64_t batch, in, out, height, width, kernel, stride;
};

/// x, weight, bias, gamma, beta
std::vector<Tensor> layer_inputs(const LayerCase& c, std::int64_t outputs) {
    torch::manual_seed(2);
    return {torch::randn({c.batch, c.in, c.height, c.width}),
            torch::randn({outputs, c.in, c.kernel, c.kernel}), 3 * torch::randn({outputs}) + 1,
            torch::randn({c.out}), torch::randn({c.out})};
}

TEST(CpuOperations, ConvNormSiluIsTheChainOfAll) {
    for (const auto& c : {LayerCase{3, 4, 8, 16, 16, 3, 1},
                          {2, 1, 4, 5, 7, 3, 2},
                          {1, 2, 4, 1, 3, 1, 1},
                          {2, 3, 34, 3, 70, 5, 1},
                          {1, 5, 10, 9, 8, 3, 2}}) {
        SCOPED_TRACE(c.out);
        const auto padding = (c.kernel - c.stride + 1) / 2;
        expect_same(
            layer_inputs(c, c.out),
            [&](const auto& t) {
                return cpu.conv_norm_silu(t[0], {t[1], t[2], c.stride, padding}, {2, t[3], t[4], 1e-5},
                                          false);
            },
            [&](const auto& t) {
                const auto y = torch::conv2d(t[0], t[1], t[2], c.stride, padding);
                return torch::silu(torch::group_norm(y, 2, t[3], t[4], 1e-5));
            });
    }
}

TEST(CpuOperations, ConvNormSiluTakesStridedPixelsOnSeveralThreads) {
    const int threads = at::get_num_threads();
    at::set_num_threads(2);
    const LayerCase c{7, 6, 6, 20, 32, 1, 2};
    for (int i = 0; i < 10; ++i) {
        expect_same(
            layer_inputs(c, c.out),
            [&](const auto& t) {
                return cpu.conv_norm_silu(t[0], {t[1], t[2], 2, 0}, {2, t[3], t[4], 1e-5}, false);
            },
            [&](const auto& t) {
                return torch::silu(
                    torch::group_norm(torch::conv2d(t[0], t[1], t[2], 2), 2, t[3], t[4], 1e-5));
            });
    }
    at::set_num_threads(threads);
}

TEST(CpuOperations, ConvNormSiluShuffles) {
    for (const auto& c : {LayerCase{2, 3, 4, 8, 8, 3, 1}, {1, 2, 2, 3, 5, 3, 1}, {1, 4, 18, 2, 131, 1, 1}}) {
        SCOPED_TRACE(c.out);
        const auto padding = c.kernel / 2;
        expect_same(
            layer_inputs(c, 4 * c.out),
            [&](const auto& t) {
                return cpu.conv_norm_silu(t[0], {t[1], t[2], 1, padding}, {2, t[3], t[4], 1e-5}, true);
            },
            [&](const auto& t) {
                const auto y = torch::pixel_shuffle(torch::conv2d(t[0], t[1], t[2], 1, padding), 2);
                return torch::silu(torch::group_norm(y, 2, t[3], t[4], 1e-5));
            });
    }
}

TEST(CpuOperations, ConvNormSiluHasItsChannelsLast) {
    const auto inputs = layer_inputs({2, 4, 8, 16, 16, 3, 1}, 8);
    const auto y =
        cpu.conv_norm_silu(inputs[0], {inputs[1], inputs[2], 1, 1}, {2, inputs[3], inputs[4], 1e-5}, false);
    EXPECT_TRUE(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
}

TEST(CpuOperations, ConvNormSiluInMixedPrecision) {
    // The second one is of a kind that Winograd's algorithm could take.
    for (const auto& c : {LayerCase{3, 6, 20, 12, 9, 3, 1}, {2, 32, 48, 17, 30, 3, 1}}) {
        for (const bool shuffle : {false, true}) {
            SCOPED_TRACE(fmt::format("{} channels, shuffle {}", c.out, shuffle));
            const auto inputs = layer_inputs(c, shuffle ? 4 * c.out : c.out);
            const auto chain = [&](const auto& t) {
                const auto y = torch::conv2d(t[0], t[1], t[2], 1, 1);
                return torch::silu(
                    torch::group_norm(shuffle ? torch::pixel_shuffle(y, 2) : y, 2, t[3], t[4], 1e-5));
            };
            const auto exact = with_gradients(inputs, torch::kFloat64, chain);
            const Autocast autocast(torch::kCPU, true);
            const auto rounded = with_gradients(inputs, torch::kFloat32, chain);
            const auto found = with_gradients(inputs, torch::kFloat32, [&](const auto& t) {
                return cpu.conv_norm_silu(t[0], {t[1], t[2], 1, 1}, {2, t[3], t[4], 1e-5}, shuffle);
            });
            for (std::size_t i = 0; i < found.size(); ++i) {
                SCOPED_TRACE(i);
                // The convolution's result is rounded in both; here the layer's and its gradient's as well.
                EXPECT_LT(distance(found[i], exact[i]), 2 * distance(rounded[i], exact[i]) + 2e-3);
            }
        }
    }
}

TEST(CpuOperations, WinogradIsTheConvolution) {
    torch::manual_seed(15);
    for (const auto& c : {LayerCase{3, 16, 32, 16, 16, 3, 1},
                          {1, 32, 16, 17, 31, 3, 1},
                          {2, 48, 16, 3, 300, 3, 1},
                          {1, 240, 512, 16, 16, 3, 1}}) {
        SCOPED_TRACE(c.in);
        const auto x =
            torch::randn({c.batch, c.in, c.height, c.width}).contiguous(torch::MemoryFormat::ChannelsLast);
        const auto weight = torch::randn({c.out, c.in, 3, 3});
        ASSERT_TRUE(ops::takes_winograd(x, weight, 1, 1));
        expect_same(
            {x, weight, torch::randn({c.out})}, [](const auto& t) { return ops::winograd(t[0], t[1], t[2]); },
            [](const auto& t) { return torch::conv2d(t[0], t[1], t[2], 1, 1); });
    }
}

TEST(CpuOperations, WinogradInMixedPrecision) {
    torch::manual_seed(16);
    const std::vector<Tensor> inputs{torch::randn({2, 32, 17, 30}), torch::randn({48, 32, 3, 3}),
                                     torch::randn({48})};
    const auto chain = [](const auto& t) { return torch::conv2d(t[0], t[1], t[2], 1, 1); };
    const auto exact = with_gradients(inputs, torch::kFloat64, chain);
    const Autocast autocast(torch::kCPU, true);
    const auto rounded = with_gradients(inputs, torch::kFloat32, chain);
    const auto found = with_gradients(inputs, torch::kFloat32, [](const auto& t) {
        const auto x = t[0].contiguous(torch::MemoryFormat::ChannelsLast);
        EXPECT_TRUE(ops::takes_winograd(x, t[1], 1, 1));
        return ops::winograd(x, t[1], t[2]);
    });
    EXPECT_EQ(found[0].scalar_type(), torch::kBFloat16);
    for (std::size_t i = 0; i < found.size(); ++i) {
        SCOPED_TRACE(i);
        EXPECT_LT(distance(found[i], exact[i]), 1.1 * distance(rounded[i], exact[i]));
    }
}

TEST(CpuOperations, WinogradLeavesOtherConvolutions) {
    const auto x = torch::zeros({1, 16, 16, 16}).contiguous(torch::MemoryFormat::ChannelsLast);
    const auto weight = torch::zeros({16, 16, 3, 3});
    EXPECT_TRUE(ops::takes_winograd(x, weight, 1, 1));
    EXPECT_FALSE(ops::takes_winograd(x, weight, 2, 1));
    EXPECT_FALSE(ops::takes_winograd(x, weight, 1, 0));
    EXPECT_FALSE(ops::takes_winograd(x, torch::zeros({16, 16, 5, 5}), 1, 1));
    EXPECT_FALSE(ops::takes_winograd(x, torch::zeros({24, 16, 3, 3}), 1, 1));
    EXPECT_FALSE(ops::takes_winograd(x.contiguous(), weight, 1, 1));
    EXPECT_FALSE(ops::takes_winograd(x.to(torch::kFloat64), weight, 1, 1));
    EXPECT_FALSE(ops::takes_winograd(x.narrow(2, 0, 8), weight, 1, 1));
    EXPECT_FALSE(ops::takes_winograd(x.to(torch::kBFloat16), weight, 1, 1));
}

/// found and rounded: a fast operation and the chain that it stands for, both under autocast. The fast one may be
/// `share` times as far from the exact results as the chain is.
template <class Found, class Rounded>
void expect_as_exact(const std::vector<Tensor>& inputs, double share, Found found_by, Rounded chain) {
    const auto exact = with_gradients(inputs, torch::kFloat64, chain);
    const Autocast autocast(torch::kCPU, true);
    const auto rounded = with_gradients(inputs, torch::kFloat32, chain);
    const auto found = with_gradients(inputs, torch::kFloat32, found_by);
    for (std::size_t i = 0; i < found.size(); ++i) {
        SCOPED_TRACE(i);
        ASSERT_EQ(found[i].sizes(), exact[i].sizes());
        EXPECT_LT(distance(found[i], exact[i]), share * distance(rounded[i], exact[i]) + 1e-6);
    }
}

TEST(CpuOperations, PointwiseIsTheConvolution) {
    torch::manual_seed(17);
    const std::vector<Tensor> inputs{torch::randn({3, 24, 9, 11}), torch::randn({40, 24, 1, 1}),
                                     torch::randn({40})};
    for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
        expect_as_exact(
            inputs, 1.1,
            [&](const auto& t) {
                const auto y = ops::pointwise(ops::CpuOperations(), t[0].contiguous(format), t[1], t[2]);
                EXPECT_TRUE(y.is_contiguous(format));
                EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
                return y;
            },
            [](const auto& t) { return torch::conv2d(t[0], t[1], t[2]); });
    }
}

TEST(CpuOperations, LinearMapsOnTiles) {
    torch::manual_seed(26);
    // Rows that are odd and more than one block of them; a map with several depths and groups of panels.
    for (const auto& [rows, in, out] :
         {std::tuple{5, 32, 48}, std::tuple{301, 48, 176}, std::tuple{2, 576, 16}}) {
        SCOPED_TRACE(rows);
        const std::vector<Tensor> inputs{torch::randn({3, rows, in}), torch::randn({out, in}),
                                         torch::randn({out})};
        for (const auto* kernels : {&test::emulated_tiles(), &cpu::kernels()}) {
            expect_as_exact(
                inputs, 1.1,
                [&](const auto& t) {
                    const auto y = ops::linear(t[0], t[1], t[2], *kernels);
                    EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
                    return y;
                },
                [](const auto& t) { return torch::linear(t[0], t[1], t[2]); });
        }
    }
}

TEST(CpuOperations, LinearMapsOnTilesNeedNoBiasNorGradients) {
    torch::manual_seed(27);
    const auto x = torch::randn({7, 32}), weight = torch::randn({16, 32});
    const auto y = ops::linear(x, weight, {}, test::emulated_tiles());
    EXPECT_FALSE(y.requires_grad());
    EXPECT_LT(distance(y, torch::linear(x, weight)), 1e-2);
    auto learned = weight.clone().requires_grad_();
    ops::linear(x, learned, {}, test::emulated_tiles()).sum().backward();
    EXPECT_LT(distance(learned.grad(), x.sum(0, true).expand({16, 32})), 1e-2);
}

struct TiledCase {
    std::int64_t batch, inputs, outputs, height, width, kernel, groups;
};

/// Lines with gaps behind them and without, more lines than are summed together, filters larger than the picture,
/// more pictures than parts, panels that are not whole.
const std::vector<TiledCase> tiled_cases{{3, 32, 64, 7, 5, 3, 2},   {1, 16, 48, 16, 16, 11, 1},
                                         {1, 96, 32, 9, 33, 5, 2},  {11, 32, 32, 4, 20, 3, 1},
                                         {2, 128, 128, 3, 3, 7, 8}, {1, 16, 80, 19, 64, 3, 1}};

TEST(CpuOperations, TiledConvolutionIsTheConvolution) {
    torch::manual_seed(29);
    for (const auto& c : tiled_cases) {
        SCOPED_TRACE(testing::Message()
                     << c.inputs << " to " << c.outputs << ", " << c.height << "x" << c.width);
        const std::vector<Tensor> inputs{torch::randn({c.batch, c.inputs, c.height, c.width}),
                                         torch::randn({c.outputs, c.inputs / c.groups, c.kernel, c.kernel}),
                                         torch::randn({c.outputs})};
        for (const auto* kernels : test::all_kernels()) {
            expect_as_exact(
                inputs, 1.1,
                [&](const auto& t) {
                    const auto y =
                        ops::tiled_convolution(t[0], {t[1], t[2], 1, c.kernel / 2, 1, c.groups}, *kernels);
                    EXPECT_TRUE(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
                    EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
                    return y;
                },
                [&](const auto& t) { return torch::conv2d(t[0], t[1], t[2], 1, c.kernel / 2, 1, c.groups); });
        }
    }
}

TEST(CpuOperations, TiledConvolutionDoesNotDependOnThreads) {
    torch::manual_seed(30);
    const std::vector<Tensor> inputs{torch::randn({5, 32, 12, 12}), torch::randn({64, 32, 3, 3}),
                                     torch::randn({64})};
    const auto results = [&](int threads) {
        const int before = torch::get_num_threads();
        torch::set_num_threads(threads);
        const Autocast autocast(torch::kCPU, true);
        auto found = with_gradients(inputs, torch::kFloat32, [](const auto& t) {
            return ops::tiled_convolution(t[0], {t[1], t[2], 1, 1}, cpu::kernels());
        });
        torch::set_num_threads(before);
        return found;
    };
    const auto one = results(1), three = results(3);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(three[i])) << i;
}

TEST(CpuOperations, TiledConvolutionTakesWhatTilesAreFor) {
    const auto x = torch::randn({1, 32, 6, 6}), weight = torch::randn({32, 32, 3, 3}),
               odd = torch::randn({24, 32, 3, 3}), bias = torch::randn({32});
    EXPECT_FALSE(ops::takes_tiled_convolution(x, {weight, bias, 1, 1})) << "float32";
    const Autocast autocast(torch::kCPU, true);
    EXPECT_EQ(ops::takes_tiled_convolution(x, {weight, bias, 1, 1}), cpu::kernels().has_tiles);
    EXPECT_FALSE(ops::takes_tiled_convolution(x, {weight, bias, 2, 1}));
    EXPECT_FALSE(ops::takes_tiled_convolution(x, {weight, bias, 1, 0}));
    EXPECT_FALSE(ops::takes_tiled_convolution(x, {odd, bias, 1, 1}));
}

TEST(CpuOperations, TurningPicturesAroundKeepsThem) {
    torch::manual_seed(22);
    for (const auto& size :
         {std::vector<std::int64_t>{2, 40, 9, 11}, {3, 7, 1, 5}, {1, 1, 4, 4}, {2, 64, 16, 8}}) {
        SCOPED_TRACE(size[1]);
        const auto x = torch::randn(size), weights = torch::randn(size).to(torch::kBFloat16);
        for (const auto from : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
            auto last = x.clone(from).requires_grad_(), first = x.clone(from).requires_grad_();
            const auto a = ops::with_channels_last(last), b = ops::with_channels_first(first);
            EXPECT_TRUE(a.is_contiguous(torch::MemoryFormat::ChannelsLast));
            EXPECT_TRUE(b.is_contiguous());
            EXPECT_TRUE(a.equal(x.to(torch::kBFloat16)));
            EXPECT_TRUE(b.equal(a));
            a.backward(weights.contiguous(from));
            b.backward(weights.contiguous(from));
            EXPECT_TRUE(last.grad().equal(weights.to(torch::kFloat32)));
            EXPECT_TRUE(first.grad().equal(last.grad()));
        }
    }
}

TEST(CpuOperations, ConvMlpInMixedPrecision) {
    torch::manual_seed(18);
    ConvMlp mlp(24, 80, 0.0);
    for (auto& p : mlp->parameters()) p.set_data(torch::randn(p.sizes()));
    expect_as_exact(
        {torch::randn({3, 24, 9, 11}), mlp->fc1->weight.detach(), mlp->fc2->weight.detach()}, 1.3,
        [&](const auto& t) {
            set_operations(*mlp, ops::fast_operations(torch::kCPU));
            mlp->fc1->weight = t[1];
            mlp->fc2->weight = t[2];
            return mlp->forward(t[0]);
        },
        [&](const auto& t) {
            const auto type = t[0].scalar_type();
            const auto wide = torch::conv2d(t[0], t[1], mlp->fc1->bias.detach().to(type));
            return torch::conv2d(torch::gelu(wide), t[2], mlp->fc2->bias.detach().to(type));
        });
}

TEST(CpuOperations, AttentionInMixedPrecision) {
    torch::manual_seed(19);
    Attention attention(64, 0.0);
    for (auto& p : attention->parameters()) p.set_data(0.3 * torch::randn(p.sizes()));
    attention->to(torch::kFloat64);
    const auto x = torch::randn({3, 35, 64});
    const auto pass = [&](torch::Dtype type, bool fast) {
        attention->to(type);
        set_operations(*attention, operations(fast));
        attention->zero_grad();
        auto all = with_gradients({x}, type, [&](const auto& t) { return attention->forward(t[0]); });
        for (const auto& p : attention->parameters()) all.push_back(p.grad().clone());
        return all;
    };
    const auto exact = pass(torch::kFloat64, false);
    const Autocast autocast(torch::kCPU, true);
    const auto rounded = pass(torch::kFloat32, false), found = pass(torch::kFloat32, true);
    for (std::size_t i = 0; i < found.size(); ++i) {
        SCOPED_TRACE(i);
        EXPECT_LT(distance(found[i], exact[i]), 1.5 * distance(rounded[i], exact[i]));
    }
}

TEST(CpuOperations, GeluKeepsTheOrderOfBfloat16) {
    torch::manual_seed(20);
    const Autocast autocast(torch::kCPU, true);
    const auto x =
        torch::randn({2, 24, 5, 7}).to(torch::kBFloat16).contiguous(torch::MemoryFormat::ChannelsLast);
    for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
        const auto grad = torch::randn({2, 24, 5, 7}).to(torch::kBFloat16).contiguous(format);
        auto a = x.detach().requires_grad_(), b = x.detach().to(torch::kFloat64).requires_grad_();
        const auto y = cpu.gelu(a), z = torch::gelu(b);
        EXPECT_TRUE(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
        y.backward(grad);
        z.backward(grad.to(torch::kFloat64));
        EXPECT_LT(deviation(y, z), 4e-3);
        EXPECT_LT(deviation(a.grad(), b.grad()), 4e-3);
    }
}

TEST(CpuOperations, PoolDifferenceIsBitForBitTheChain) {
    torch::manual_seed(21);
    for (const auto& size :
         {std::vector<std::int64_t>{2, 3, 16, 19}, {1, 2, 1, 5}, {2, 1, 2, 1}, {1, 1, 1, 1}}) {
        SCOPED_TRACE(size[2]);
        const std::vector<Tensor> inputs{torch::randn(size)};
        const auto found =
            with_gradients(inputs, torch::kFloat32, [](const auto& t) { return cpu.pool_difference(t[0]); });
        const auto expected = with_gradients(inputs, torch::kFloat32, [](const auto& t) {
            return torch::avg_pool2d(t[0], 3, 1, 1, false, /*count_include_pad=*/false) - t[0];
        });
        for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(found[i].equal(expected[i])) << i;
    }
}

TEST(CpuOperations, FewOutputsIsTheConvolution) {
    torch::manual_seed(4);
    expect_same(
        {torch::randn({3, 16, 9, 11}), torch::randn({3, 16, 1, 1}), torch::randn({3})},
        [](const auto& t) { return ops::few_outputs(t[0], t[1], t[2]); },
        [](const auto& t) { return torch::conv2d(t[0], t[1], t[2]); });
}

TEST(CpuOperations, FewOutputsTakesChannelsLast) {
    torch::manual_seed(4);
    expect_same(
        {torch::randn({3, 9, 11, 16}), torch::randn({3, 16, 1, 1}), torch::randn({3})},
        [](const auto& t) {
            return ops::few_outputs(t[0].permute({0, 3, 1, 2}), t[1], t[2]);
        },
        [](const auto& t) {
            return torch::conv2d(t[0].permute({0, 3, 1, 2}), t[1], t[2]);
        });
}

TEST(CpuOperations, DepthwiseTakesAPartOfTheChannels) {
    torch::manual_seed(8);
    expect_same(
        {torch::randn({3, 7, 8, 9}), torch::randn({4, 1, 5, 5}), torch::randn({4})},
        [](const auto& t) { return cpu.conv2d(t[0].narrow(1, 2, 4), depthwise(t[1], t[2], 2)); },
        [](const auto& t) { return torch::conv2d(t[0].narrow(1, 2, 4), t[1], t[2], 1, 4, 2, 4); });
}

TEST(CpuOperations, DepthwiseGeluIsTheChainOfBoth) {
    torch::manual_seed(9);
    expect_same(
        {torch::randn({2, 5, 16, 19}), torch::randn({5, 1, 7, 7}), torch::randn({5})},
        [](const auto& t) { return cpu.depthwise_gelu(t[0], depthwise(t[1], t[2], 3)); },
        [](const auto& t) { return torch::gelu(torch::conv2d(t[0], t[1], t[2], 1, 9, 3, 5)); });
}

TEST(CpuOperations, GeluTakesAnyShape) {
    torch::manual_seed(10);
    for (const auto& size : {std::vector<std::int64_t>{3, 70}, {2, 5, 33}, {1, 8, 64, 65}}) {
        expect_same(
            {2 * torch::randn(size)}, [](const auto& t) { return cpu.gelu(t[0].transpose(0, 1)); },
            [](const auto& t) { return torch::gelu(t[0].transpose(0, 1)); });
    }
}

TEST(CpuOperations, ChannelAggregationIsMogaNetsChain) {
    torch::manual_seed(11);
    for (const std::int64_t channels : {3, 75}) {
        SCOPED_TRACE(channels);
        expect_same(
            {torch::randn({2, channels, 9, 16}), torch::randn({channels, 1, 3, 3}), torch::randn({channels}),
             0.3 * torch::randn({1, channels, 1, 1}), torch::randn({1}), torch::randn({1, channels, 1, 1})},
            [](const auto& t) {
                return cpu.channel_aggregation(t[0], depthwise(t[1], t[2]), {.weight = t[3], .bias = t[4]},
                                               t[5]);
            },
            [&](const auto& t) {
                const auto h = torch::gelu(torch::conv2d(t[0], t[1], t[2], 1, 1, 1, channels));
                return h + t[5] * (h - torch::gelu(torch::conv2d(h, t[3], t[4])));
            });
    }
}

TEST(CpuOperations, DecomposeSiluIsMogaNetsChain) {
    torch::manual_seed(12);
    expect_same(
        {torch::randn({3, 5, 7, 9}) + 0.5, torch::randn({1, 5, 1, 1})},
        [](const auto& t) { return cpu.decompose_silu(t[0], t[1]); },
        [](const auto& t) {
            return torch::silu(t[0] + t[1] * (t[0] - t[0].mean({2, 3}, true)));
        });
}

TEST(CpuOperations, SiluGateIsTheProduct) {
    torch::manual_seed(13);
    expect_same(
        {torch::randn({2, 70, 16, 16}), torch::randn({2, 70, 16, 16})},
        [](const auto& t) { return cpu.silu_gate(t[0], t[1]); },
        [](const auto& t) { return torch::silu(t[0]) * torch::silu(t[1]); });
}

TEST(CpuOperations, ResidualKeepsSomeSamples) {
    torch::manual_seed(14);
    const auto kept = torch::tensor({0.0F, 1.25F, 1.25F}).view({3, 1, 1, 1});
    for (const bool drops : {false, true}) {
        SCOPED_TRACE(drops);
        expect_same(
            {torch::randn({3, 5, 7, 9}), torch::randn({3, 5, 7, 9}), torch::randn({5})},
            [&](const auto& t) { return cpu.residual(t[0], t[1], t[2], drops ? kept : Tensor()); },
            [&](const auto& t) {
                const auto branch = t[2].view({-1, 1, 1}) * t[1];
                return drops ? t[0] + branch * kept : t[0] + branch;
            });
    }
}

TEST(CpuOperations, LeavesOtherTensorsToThePlainPath) {
    EXPECT_TRUE(ops::takes(torch::zeros({1, 2, 3, 3})));
    EXPECT_FALSE(ops::takes(torch::zeros({1, 2, 3, 3}, torch::kFloat64)));
    EXPECT_FALSE(ops::takes(torch::zeros({1, 2, 3, 3}, torch::kBFloat16)));
    {
        const Autocast autocast(torch::kCPU, true);
        EXPECT_TRUE(ops::takes(torch::zeros({1, 2, 3, 3}, torch::kBFloat16)));
    }
    EXPECT_FALSE(ops::takes(torch::zeros({2, 3, 3})));
    EXPECT_FALSE(ops::takes(torch::zeros({1, 2, 3, 3}, torch::kMeta)));
}

class TrainingStep : public testing::TestWithParam<std::string> {};

/// The output and all gradients of one pass.
test::TrainingPass training_pass(SimVP& model, const Tensor& x, bool fast, bool mixed = false) {
    set_operations(*model, operations(fast));
    model->zero_grad();
    torch::manual_seed(7);  // stochastic depth
    Tensor y;
    {
        const Autocast autocast(torch::kCPU, mixed);
        y = model->forward(x).to(torch::kFloat32);
    }
    y.pow(2).sum().backward();
    test::TrainingPass all{{"output", y.detach().clone()}};
    for (const auto& p : model->named_parameters()) {
        if (p.value().grad().defined()) all.emplace_back(p.key(), p.value().grad().clone());
    }
    return all;
}

SimVP small_model(const std::string& translator, std::int64_t frames = 4) {
    SimVPOptions options;
    options.translator = translator;
    options.frames = frames;
    options.channels = 1;
    options.height = options.width = 32;
    options.hid_S = 16;  // with Winograd's convolutions
    options.hid_T = 16 * frames;
    options.N_S = 2;
    options.N_T = 2;
    torch::manual_seed(6);
    SimVP model(options);
    model->train();
    return model;
}

void expect_the_same_training(SimVP& model, const Tensor& x) {
    const auto fast = training_pass(model, x, true), plain = training_pass(model, x, false);
    EXPECT_LT(deviation(fast[0].second, plain[0].second), 1e-5);
    test::expect_same_gradients(fast, plain, 1e-4);
}

TEST_P(TrainingStep, TrainsAsThePlainOne) {
    auto model = small_model(GetParam());
    expect_the_same_training(model, torch::rand({2, 4, 1, 32, 32}));
}

/// Then axes of one element allow of more than one memory format.
TEST_P(TrainingStep, TrainsAsThePlainOneOnOneFrameOfOneSequence) {
    auto model = small_model(GetParam(), 1);
    expect_the_same_training(model, torch::rand({1, 1, 1, 32, 32}));
}

TEST_P(TrainingStep, InMixedPrecisionIsAsNearToFloat32AsThePlainOne) {
    auto model = small_model(GetParam());
    const auto x = torch::rand({2, 4, 1, 32, 32});
    const auto exact = training_pass(model, x, false);
    const auto plain = training_pass(model, x, false, /*mixed=*/true);
    const auto fast = training_pass(model, x, true, /*mixed=*/true);
    ASSERT_EQ(fast.size(), exact.size());
    EXPECT_LT(distance(fast[0].second, exact[0].second), 1.5 * distance(plain[0].second, exact[0].second));
    double of_fast = 0, of_plain = 0, of_all = 0;  // squared
    for (std::size_t i = 1; i < exact.size(); ++i) {
        of_fast += (fast[i].second - exact[i].second).square().sum().item<double>();
        of_plain += (plain[i].second - exact[i].second).square().sum().item<double>();
        of_all += exact[i].second.square().sum().item<double>();
    }
    EXPECT_LT(std::sqrt(of_fast), 1.5 * std::sqrt(of_plain));
    EXPECT_GT(std::sqrt(of_fast / of_all), 1e-5) << "nothing was rounded";
    for (std::size_t i = 1; i < exact.size(); ++i) {
        const auto own = (fast[i].second - exact[i].second).norm().item<double>(),
                   others = (plain[i].second - exact[i].second).norm().item<double>();
        EXPECT_LT(own, 3 * others + 1e-3 * std::sqrt(of_all)) << exact[i].first;
    }
}

INSTANTIATE_TEST_SUITE_P(translators, TrainingStep, testing::ValuesIn(test::translator_names()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace stl
