// Each kernel alone, over sizes that fill no block, vector or strip, in every type: what it
// computes against ATen in float64, that it writes every element of its outputs and none beside them and
// reads nothing beside its inputs, and that the order in which a block's threads run leaves every bit as it
// is.
//
// The orders are the emulated kernels'; a GPU's are run as often.
#include <algorithm>
#include <cmath>

#include "stl/gpu/adam.h"
#include "stl/gpu/batch_norm.h"
#include "stl/gpu/channel_aggregation.h"
#include "stl/gpu/decompose_silu.h"
#include "stl/gpu/depthwise.h"
#include "stl/gpu/emulated/grid.h"
#include "stl/gpu/group_norm_silu.h"
#include "stl/gpu/moving_glyphs.h"
#include "stl/gpu/residual.h"
#include "stl/gpu/silu_gate.h"
#include "stl/gpu/tensors.h"
#include "tests/gpu/guarded.h"
#include "tests/gpu/subject.h"

namespace stl {
namespace {

using gpu::emulated::Order;
using test::between_nans;
using test::bf16_bound;
using test::float_bound;
using test::fp16_bound;
using test::Outputs;
using test::Tensors;
using torch::Tensor;

class GpuKernels : public test::KernelTest {
  protected:
    /// What `work` writes, which is the same in every order.
    Tensors run(const std::function<void(Outputs&)>& work) {
        Tensors first;
        for (const auto& [order, seed] : {std::pair{Order::ascending, 0},
                                          {Order::descending, 0},
                                          {Order::shuffled, 1},
                                          {Order::shuffled, 2}}) {
            const gpu::emulated::OrderScope scope(order, static_cast<std::uint64_t>(seed));
            Outputs outputs(device);
            work(outputs);
            outputs.expect_written_and_no_more();
            if (first.empty()) first = outputs.all();
            for (std::size_t i = 0; i < first.size(); ++i)
                EXPECT_TRUE(torch::equal(outputs.all()[i], first[i]))
                    << "output " << i << " in order " << static_cast<int>(order) << ", seed " << seed;
        }
        return first;
    }

    Tensor random(c10::IntArrayRef sizes, torch::Dtype type = torch::kFloat32) const {
        return between_nans(torch::randn(sizes).to(device, type));
    }

    gpu::Stream stream() const { return kernels().current_stream(); }
};

/// Near in the sense of norms; results that ought to be zero may be off by little.
void expect_near(const Tensor& found, const Tensor& expected, double bound, const char* what) {
    const auto truth = expected.detach().to(torch::kCPU, torch::kFloat64);
    const auto mine = found.detach().to(torch::kCPU, torch::kFloat64);
    ASSERT_EQ(mine.sizes(), truth.sizes()) << what;
    const double size = std::max(truth.norm().item<double>(), 1e-2 * std::sqrt(truth.numel()));
    EXPECT_LE((mine - truth).norm().item<double>(), bound * size) << what;
}

Tensor exact(const Tensor& x) {
    return x.to(torch::kCPU, torch::kFloat64);
}
/// [N,H,W,C] to [N,C,H,W].
Tensor pictures(const Tensor& x) {
    return x.permute({0, 3, 1, 2});
}
int as_int(std::int64_t x) {
    return static_cast<int>(x);
}
double bound_of(torch::Dtype type) {
    if (type == torch::kFloat32) return float_bound;
    return type == torch::kFloat16 ? fp16_bound : bf16_bound;
}
constexpr auto types = {torch::kFloat32, torch::kBFloat16, torch::kFloat16};

// --- GroupNorm and SiLU

struct NormCase {
    std::int64_t batch, channels, height, width, groups;
    int parts;
    bool shuffle = false;
};
const std::vector<NormCase> norm_cases{
    {1, 1, 1, 1, 1, 1},           // one of everything
    {1, 1, 5, 7, 1, 3},           // one channel
    {2, 64, 3, 5, 64, 2},         // a channel a group, as many groups as there may be
    {1, 128, 2, 3, 64, 4},        // two a group
    {3, 6, 33, 9, 2, 5},          // three a group: single values; several blocks of units
    {2, 260, 3, 3, 1, 2},         // packs of four or single values, columns of which the last is not full
    {1, 512, 5, 3, 2, 4},         // several columns of packs of four and of eight
    {2, 24, 1, 3, 3, 8},          // more parts than pixels; packs of eight
    {65, 8, 2, 2, 2, 1},          // many pictures
    {1, 8, 61, 67, 2, 3},         // pixels beyond the lanes of a block
    {1, 4, 1, 1, 1, 1, true},     // one of everything, shuffled
    {2, 8, 3, 5, 2, 3, true},     // single values
    {1, 256, 3, 3, 64, 2, true},  // one channel of y a group
    {2, 48, 5, 7, 3, 40, true},   // more parts than pixels; packs of four
    {1, 544, 3, 2, 1, 2, true},   // several columns
    {2, 1056, 2, 1, 2, 1, true},  // columns of packs of eight shared by the groups' border
};

gpu::GroupNormSiluTask norm_task(const NormCase& c, const Tensor& x, const Tensor& gamma,
                                 const Tensor& beta) {
    gpu::GroupNormSiluTask t;
    t.type = gpu::type_of(x);
    t.shuffle = c.shuffle;
    t.batch = as_int(c.batch);
    t.channels = as_int(c.channels);
    t.height = as_int(c.height);
    t.width = as_int(c.width);
    t.groups = as_int(c.groups);
    t.parts = c.parts;
    t.eps = 1e-5F;
    t.x = x.const_data_ptr();
    t.gamma = gamma.const_data_ptr<float>();
    t.beta = beta.const_data_ptr<float>();
    return t;
}

class NormSiluKernels : public GpuKernels {
  protected:
    struct Found {
        Tensor y, x_grad, gamma_grad, beta_grad;
    };

    Found compute(const NormCase& c, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  const Tensor& grad) {
        auto t = norm_task(c, x, gamma, beta);
        const auto forward = run([&](Outputs& outputs) {
            t.y = outputs.make(grad.sizes(), x.scalar_type()).mutable_data_ptr();
            t.sums = outputs.make({c.batch, c.parts, c.groups, 2}).mutable_data_ptr<float>();
            t.mean = outputs.make({c.batch, c.groups}).mutable_data_ptr<float>();
            t.rstd = outputs.make({c.batch, c.groups}).mutable_data_ptr<float>();
            kernels().group_norm_silu(t, stream());
        });
        t.mean = forward[2].mutable_data_ptr<float>();
        t.rstd = forward[3].mutable_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        const auto sums = gradient_sums(t, c);
        const auto size = static_cast<double>(t.pixels() * t.group_channels());
        const auto means =
            between_nans((sums * gamma.unsqueeze(-1)).view({c.batch, c.groups, -1, 2}).sum(2).div(size));
        t.means_of = means.const_data_ptr<float>();
        const auto backward = run([&](Outputs& outputs) {
            t.x_grad = outputs.make(x.sizes(), x.scalar_type()).mutable_data_ptr();
            kernels().group_norm_silu_gradient(t, stream());
        });
        const auto of_both = sums.sum(0);
        return {forward[0], backward[0], of_both.select(1, 0), of_both.select(1, 1)};
    }

    void check(const NormCase& c, torch::Dtype type) {
        const int grow = c.shuffle ? 2 : 1;
        const auto channels = c.shuffle ? c.channels / 4 : c.channels;
        const auto x = random({c.batch, c.height, c.width, c.channels}, type), gamma = random({channels}),
                   beta = random({channels}),
                   grad = random({c.batch, c.height * grow, c.width * grow, channels}, type);
        const auto found = compute(c, x, gamma, beta, grad);
        const auto x_ = exact(pictures(x)).requires_grad_(), gamma_ = exact(gamma).requires_grad_(),
                   beta_ = exact(beta).requires_grad_();
        const auto shuffled = c.shuffle ? torch::pixel_shuffle(x_, 2) : x_;
        const auto y = torch::silu(torch::group_norm(shuffled, c.groups, gamma_, beta_, 1e-5));
        y.backward(exact(pictures(grad)));
        expect_near(pictures(found.y), y, bound_of(type), "y");
        expect_near(pictures(found.x_grad), x_.grad(), bound_of(type), "gradient of x");
        expect_near(found.gamma_grad, gamma_.grad(), bound_of(type), "gradient of gamma");
        expect_near(found.beta_grad, beta_.grad(), bound_of(type), "gradient of beta");
    }

  private:
    /// Added over the parts: [N,C',2].
    Tensor gradient_sums(gpu::GroupNormSiluTask t, const NormCase& c) {
        const auto parts = run([&](Outputs& outputs) {
            auto sums = outputs.make({c.batch, c.parts, t.channels_out(), 2});
            t.gradient_sums = sums.mutable_data_ptr<float>();
            kernels().group_norm_silu_gradient_sums(t, stream());
        });
        return parts[0].sum(1);
    }
};

TEST_P(NormSiluKernels, AreTheChainOfBoth) {
    torch::manual_seed(1);
    for (const auto& c : norm_cases) {
        for (const auto type : types) {
            SCOPED_TRACE(testing::PrintToString(
                std::tuple(c.batch, c.channels, c.height, c.width, c.groups, c.parts, c.shuffle, type)));
            check(c, type);
        }
    }
}

TEST_P(NormSiluKernels, TakeNoMoreThan64Groups) {
    const NormCase c{1, 65, 1, 1, 65, 1};
    const auto x = random({1, 1, 1, 65}), gamma = random({65});
    EXPECT_THROW(kernels().group_norm_silu(norm_task(c, x, gamma, gamma), stream()), std::invalid_argument);
}

// --- Depthwise convolution

struct DepthwiseCase {
    std::int64_t batch, channels, height, width;
    int parts;
    std::int64_t beside = 0;  ///< channels of other slices, on either side
};
const std::vector<DepthwiseCase> depthwise_cases{
    {1, 1, 1, 1, 1},      // one of everything
    {2, 5, 7, 9, 3},      // single values
    {1, 4, 13, 17, 20},   // more parts than rows; strips that the width cuts
    {3, 132, 3, 5, 2},    // 33 packs: two columns of blocks
    {1, 33, 2, 23, 1},    // 33 single values
    {2, 8, 6, 7, 4, 16},  // a slice of channels
    {1, 3, 5, 1, 2},      // one column
    {1, 516, 1, 4, 3},    // one row, many channels
};

/// x: [N,H,W,C], `beside` NaNs on either side of each pixel.
Tensor spread(const Tensor& x, std::int64_t beside) {
    if (beside == 0) return x;
    auto sizes = x.sizes().vec();
    sizes[3] += 2 * beside;
    auto slice = torch::full(sizes, NAN, x.options()).narrow(3, beside, x.size(3));
    slice.copy_(x);
    return slice;
}

class DepthwiseKernels : public GpuKernels {
  protected:
    void check(const DepthwiseCase& c, std::int64_t kernel, std::int64_t dilation, torch::Dtype type) {
        const std::vector<std::int64_t> sizes{c.batch, c.height, c.width, c.channels};
        const auto x = random(sizes, type), grad = random(sizes, type),
                   filters = random({kernel * kernel, c.channels}), bias = random({c.channels});
        auto t = task(c, kernel, dilation, filters);
        t.type = gpu::type_of(x);
        const auto y = convolve(t, spread(x, c.beside), bias.const_data_ptr<float>(), false);
        const auto x_grad = convolve(t, spread(grad, c.beside), nullptr, true);
        const auto sums = filter_sums(t, spread(x, c.beside), spread(grad, c.beside));

        const auto x_ = exact(pictures(x)).requires_grad_(), bias_ = exact(bias).requires_grad_(),
                   weight_ = exact(filters.t().reshape({c.channels, 1, kernel, kernel})).requires_grad_();
        const auto y_ = torch::conv2d(x_, weight_, bias_, 1, dilation * (kernel / 2), dilation, c.channels);
        y_.backward(exact(pictures(grad)));
        const auto taps = kernel * kernel;
        expect_near(pictures(y), y_, bound_of(type), "y");
        expect_near(pictures(x_grad), x_.grad(), bound_of(type), "gradient of x");
        expect_near(sums.narrow(0, 0, taps).t().reshape(weight_.sizes()), weight_.grad(), float_bound,
                    "gradient of the filters");
        expect_near(sums.select(0, taps), bias_.grad(), float_bound, "gradient of the bias");
    }

  private:
    static gpu::DepthwiseTask task(const DepthwiseCase& c, std::int64_t kernel, std::int64_t dilation,
                                   const Tensor& filters) {
        gpu::DepthwiseTask t;
        t.batch = as_int(c.batch);
        t.channels = as_int(c.channels);
        t.height = as_int(c.height);
        t.width = as_int(c.width);
        t.kernel = as_int(kernel);
        t.dilation = as_int(dilation);
        t.parts = c.parts;
        t.x_pitch = t.grad_pitch = c.channels + 2 * c.beside;
        t.filters = filters.const_data_ptr<float>();
        return t;
    }
    Tensor convolve(gpu::DepthwiseTask t, const Tensor& x, const float* bias, bool turned) {
        t.x = x.const_data_ptr();
        t.bias = bias;
        t.turned = turned;
        return run([&](Outputs& outputs) {
            t.y = outputs.make(x.sizes(), x.scalar_type()).mutable_data_ptr();
            kernels().depthwise(t, stream());
        })[0];
    }
    /// Added over the parts: [K*K+1,C].
    Tensor filter_sums(gpu::DepthwiseTask t, const Tensor& x, const Tensor& grad) {
        t.x = x.const_data_ptr();
        t.grad = grad.const_data_ptr();
        const auto parts = run([&](Outputs& outputs) {
            auto sums = outputs.make({t.parts, t.kernel * t.kernel + 1, t.channels});
            t.sums = sums.mutable_data_ptr<float>();
            kernels().depthwise_filter_gradient(t, stream());
        });
        return parts[0].sum(0);
    }
};

TEST_P(DepthwiseKernels, AreTheGroupedConvolution) {
    torch::manual_seed(2);
    for (const auto& c : depthwise_cases) {
        for (const std::int64_t kernel : gpu::depthwise_kernels) {
            for (const std::int64_t dilation : {1, 2, 3}) {
                for (const auto type : types) {
                    SCOPED_TRACE(testing::PrintToString(
                        std::tuple(c.batch, c.channels, c.height, c.width, c.parts, kernel, dilation, type)));
                    check(c, kernel, dilation, type);
                }
            }
        }
    }
}

// --- BatchNorm

struct PixelCase {
    std::int64_t pixels, channels;
    int parts;
};
const std::vector<PixelCase> pixel_cases{
    {3, 1, 1},     // one channel (of two values the gradient is nothing but rounding)
    {7, 3, 9},     // single values; more parts than pixels
    {35, 4, 3},    // a pack of four
    {300, 8, 2},   // pixels beyond the lanes of a block
    {11, 130, 3},  // 130 single values: five columns of blocks
    {9, 264, 2},   // 33 packs of eight, 66 of four: columns of which the last is not full
    {3, 2056, 2},  // more packs than a row of threads
};

class BatchNormKernels : public GpuKernels {
  protected:
    void check(const PixelCase& c, bool of_gelu, torch::Dtype type) {
        constexpr double momentum = 0.25, eps = 1e-5;
        const auto x = random({c.pixels, c.channels}, type), grad = random({c.pixels, c.channels}, type),
                   gamma = random({c.channels}), beta = random({c.channels}), old_mean = random({c.channels}),
                   old_var = between_nans(torch::rand({c.channels}).to(device));
        gpu::BatchNormTask t;
        t.type = gpu::type_of(x);
        t.gelu = of_gelu;
        t.channels = as_int(c.channels);
        t.pixels = c.pixels;
        t.parts = c.parts;
        t.eps = eps;
        t.momentum = momentum;
        t.x = x.const_data_ptr();
        t.gamma = gamma.const_data_ptr<float>();
        t.beta = beta.const_data_ptr<float>();
        const auto forward = run([&](Outputs& outputs) {
            t.y = outputs.make(x.sizes(), type).mutable_data_ptr();
            t.sums = outputs.make({c.parts, 2, c.channels}).mutable_data_ptr<float>();
            t.mean = outputs.make({c.channels}).mutable_data_ptr<float>();
            t.rstd = outputs.make({c.channels}).mutable_data_ptr<float>();
            t.running_mean = outputs.made_from(old_mean).mutable_data_ptr<float>();
            t.running_var = outputs.made_from(old_var).mutable_data_ptr<float>();
            kernels().batch_norm(t, stream());
        });
        t.mean = forward[2].mutable_data_ptr<float>();
        t.rstd = forward[3].mutable_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        const auto sums =
            run([&](Outputs& outputs) {
                t.gradient_sums = outputs.make({c.parts, 2, c.channels}).mutable_data_ptr<float>();
                kernels().batch_norm_gradient_sums(t, stream());
            })[0]
                .sum(0);
        const auto means = between_nans(sums / static_cast<double>(c.pixels));
        t.means_of = means.const_data_ptr<float>();
        const auto x_grad = run([&](Outputs& outputs) {
            t.x_grad = outputs.make(x.sizes(), type).mutable_data_ptr();
            kernels().batch_norm_gradient(t, stream());
        })[0];

        const auto x_ = exact(x).requires_grad_(), gamma_ = exact(gamma).requires_grad_(),
                   beta_ = exact(beta).requires_grad_();
        const auto mean = exact(old_mean).clone(), var = exact(old_var).clone();
        const auto y = torch::batch_norm(of_gelu ? torch::gelu(x_) : x_, gamma_, beta_, mean, var,
                                         /*training=*/true, momentum, eps, /*cudnn_enabled=*/false);
        y.backward(exact(grad));
        expect_near(forward[0], y, bound_of(type), "y");
        expect_near(forward[4], mean, float_bound, "running mean");
        expect_near(forward[5], var, float_bound, "running variance");
        expect_near(x_grad, x_.grad(), bound_of(type), "gradient of x");
        expect_near(sums[0], gamma_.grad(), bound_of(type), "gradient of gamma");
        expect_near(sums[1], beta_.grad(), bound_of(type), "gradient of beta");
    }
};

TEST_P(BatchNormKernels, AreTrainingsBatchNorm) {
    torch::manual_seed(6);
    for (const auto& c : pixel_cases) {
        for (const bool of_gelu : {false, true}) {
            for (const auto type : types) {
                SCOPED_TRACE(
                    testing::PrintToString(std::tuple(c.pixels, c.channels, c.parts, of_gelu, type)));
                check(c, of_gelu, type);
            }
        }
    }
}

// --- MogaNet's channel aggregation

class AggregationKernels : public GpuKernels {
  protected:
    void check(const PixelCase& c, torch::Dtype type) {
        const auto x = random({c.pixels, c.channels}, type), grad = random({c.pixels, c.channels}, type),
                   weight = between_nans(torch::randn({c.channels}).div(std::sqrt(c.channels)).to(device)),
                   bias = random({1}), sigma = random({c.channels});
        gpu::ChannelAggregationTask t;
        t.type = gpu::type_of(x);
        t.channels = as_int(c.channels);
        t.pixels = c.pixels;
        t.parts = c.parts;
        t.x = x.const_data_ptr();
        t.weight = weight.const_data_ptr<float>();
        t.bias = bias.const_data_ptr<float>();
        t.sigma = sigma.const_data_ptr<float>();
        const auto forward = run([&](Outputs& outputs) {
            t.y = outputs.make(x.sizes(), type).mutable_data_ptr();
            t.dots = outputs.make({c.pixels}).mutable_data_ptr<float>();
            kernels().channel_aggregation(t, stream());
        });
        const auto dots = between_nans(forward[1]);
        t.dots = dots.mutable_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        const auto backward = run([&](Outputs& outputs) {
            t.x_grad = outputs.make(x.sizes(), type).mutable_data_ptr();
            t.dot_grads = outputs.make({c.pixels}).mutable_data_ptr<float>();
            t.sums = outputs.make({c.parts, 2, c.channels}).mutable_data_ptr<float>();
            kernels().channel_aggregation_gradient(t, stream());
        });

        const auto x_ = exact(x).requires_grad_(), weight_ = exact(weight).requires_grad_(),
                   bias_ = exact(bias).requires_grad_(), sigma_ = exact(sigma).requires_grad_();
        const auto h = torch::gelu(x_);
        const auto y = h + sigma_ * (h - torch::gelu((h * weight_).sum(1, true) + bias_));
        y.backward(exact(grad));
        expect_near(forward[0], y, bound_of(type), "y");
        expect_near(backward[0], x_.grad(), bound_of(type), "gradient of x");
        expect_near(backward[1].sum(0, true), bias_.grad(), 10 * float_bound, "gradient of the bias");
        const auto sums = backward[2].sum(0);
        expect_near(sums[0], weight_.grad(), float_bound, "gradient of the weight");
        expect_near(sums[1], sigma_.grad(), float_bound, "gradient of sigma");
    }
};

TEST_P(AggregationKernels, AreMogaNetsChannelAggregation) {
    torch::manual_seed(7);
    for (const auto& c : pixel_cases) {
        for (const auto type : types) {
            SCOPED_TRACE(testing::PrintToString(std::tuple(c.pixels, c.channels, c.parts, type)));
            check(c, type);
        }
    }
}

// --- MogaNet's feature decomposition

class DecompositionKernels : public GpuKernels {
  protected:
    void check(const PixelCase& c, torch::Dtype type) {
        constexpr std::int64_t batch = 3;
        const std::vector<std::int64_t> sizes{batch, c.pixels, c.channels};
        const auto x = random(sizes, type), grad = random(sizes, type), sigma = random({c.channels}),
                   mean = between_nans(x.to(torch::kFloat32).mean(1));
        gpu::DecomposeSiluTask t;
        t.type = gpu::type_of(x);
        t.batch = as_int(batch);
        t.channels = as_int(c.channels);
        t.pixels = c.pixels;
        t.parts = c.parts;
        t.x = x.const_data_ptr();
        t.mean = mean.const_data_ptr<float>();
        t.sigma = sigma.const_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        const auto y = run([&](Outputs& outputs) {
            t.y = outputs.make(sizes, type).mutable_data_ptr();
            kernels().decompose_silu(t, stream());
        })[0];
        const auto parts = run([&](Outputs& outputs) {
            t.sums = outputs.make({batch, c.parts, 2, c.channels}).mutable_data_ptr<float>();
            kernels().decompose_silu_gradient_sums(t, stream());
        })[0];
        const auto sums = parts.sum(1);
        const auto means = between_nans(sums.select(1, 0) / static_cast<double>(c.pixels));
        t.mean_of = means.const_data_ptr<float>();
        const auto x_grad = run([&](Outputs& outputs) {
            t.x_grad = outputs.make(sizes, type).mutable_data_ptr();
            kernels().decompose_silu_gradient(t, stream());
        })[0];

        const auto x_ = exact(x).requires_grad_(), sigma_ = exact(sigma).requires_grad_();
        const auto y_ = torch::silu(x_ + sigma_ * (x_ - x_.mean(1, /*keepdim=*/true)));
        y_.backward(exact(grad));
        expect_near(y, y_, bound_of(type), "y");
        expect_near(x_grad, x_.grad(), bound_of(type), "gradient of x");
        expect_near(sums.select(1, 1).sum(0), sigma_.grad(), float_bound, "gradient of sigma");
    }
};

TEST_P(DecompositionKernels, AreMogaNetsFeatureDecomposition) {
    torch::manual_seed(8);
    for (const auto& c : pixel_cases) {
        for (const auto type : types) {
            SCOPED_TRACE(testing::PrintToString(std::tuple(c.pixels, c.channels, c.parts, type)));
            check(c, type);
        }
    }
}

// --- Residual sum and gate

struct ResidualCase {
    std::int64_t batch, channels, pixels;
    int parts;
    bool keep;
};
const std::vector<ResidualCase> residual_cases{
    {1, 1, 1, 1, false},    // one of everything
    {2, 3, 35, 4, true},    // single values
    {3, 4, 7, 9, false},    // more parts than pixels
    {2, 130, 11, 3, true},  // 130 single values: five columns of blocks
    {1, 132, 9, 2, true},   // 33 packs: two
    {2, 516, 5, 1, false},  // 129 packs
    {70, 4, 3, 1, true},    // many pictures
    {1, 8, 700, 2, false},  // pixels beyond the lanes of a block
};

class ResidualKernels : public GpuKernels {
  protected:
    void check(const ResidualCase& c, torch::Dtype type, torch::Dtype narrow) {
        const std::vector<std::int64_t> sizes{c.batch, c.pixels, c.channels};
        const auto x = random(sizes, type), branch = random(sizes, narrow), grad = random(sizes, type),
                   scale = random({c.channels}), keep = random({c.batch});
        gpu::ResidualTask t;
        t.type = gpu::type_of(x);
        t.branch_type = gpu::type_of(branch);
        t.batch = as_int(c.batch);
        t.channels = as_int(c.channels);
        t.pixels = c.pixels;
        t.parts = c.parts;
        t.x = x.const_data_ptr();
        t.branch = branch.const_data_ptr();
        t.scale = scale.const_data_ptr<float>();
        if (c.keep) t.keep = keep.const_data_ptr<float>();
        t.grad = grad.const_data_ptr();
        const auto y = run([&](Outputs& outputs) {
            t.y = outputs.make(sizes, type).mutable_data_ptr();
            kernels().residual(t, stream());
        })[0];
        const auto backward = run([&](Outputs& outputs) {
            t.branch_grad = outputs.make(sizes, narrow).mutable_data_ptr();
            t.sums = outputs.make({c.batch, c.parts, c.channels}).mutable_data_ptr<float>();
            kernels().residual_gradient(t, stream());
        });

        expect_scaled_x(t, x, branch, scale);

        const auto kept = c.keep ? exact(keep).view({-1, 1, 1}) : torch::ones({1, 1, 1}, torch::kFloat64);
        expect_near(y, exact(x) + kept * exact(scale) * exact(branch), bound_of(type), "y");
        expect_near(backward[0], kept * exact(scale) * exact(grad), bound_of(narrow), "of the branch");
        expect_near(backward[1].flatten(0, 1).sum(0),
                    (kept * exact(branch) * exact(grad)).flatten(0, 1).sum(0), float_bound,
                    "gradient of the scale");
    }

  private:
    /// The sum of a folded block.
    void expect_scaled_x(gpu::ResidualTask t, const Tensor& x, const Tensor& branch, const Tensor& scale) {
        t.x_scale = t.scale;
        t.scale = t.keep = nullptr;
        const auto y = run([&](Outputs& outputs) {
            t.y = outputs.make(x.sizes(), x.scalar_type()).mutable_data_ptr();
            kernels().residual(t, stream());
        })[0];
        expect_near(y, exact(scale) * exact(x) + exact(branch), bound_of(x.scalar_type()), "scaled x");
    }
};

TEST_P(ResidualKernels, ScaleAndKeep) {
    torch::manual_seed(3);
    for (const auto& c : residual_cases) {
        for (const auto& [type, narrow] : {std::pair{torch::kFloat32, torch::kFloat32},
                                           {torch::kBFloat16, torch::kBFloat16},
                                           {torch::kFloat32, torch::kBFloat16},
                                           {torch::kFloat16, torch::kFloat16},
                                           {torch::kFloat32, torch::kFloat16}}) {
            SCOPED_TRACE(testing::PrintToString(
                std::tuple(c.batch, c.channels, c.pixels, c.parts, c.keep, type, narrow)));
            check(c, type, narrow);
        }
    }
}

TEST_P(GpuKernels, ResidualTakesNoBranchWiderThanTheSum) {
    gpu::ResidualTask t;
    t.type = gpu::Type::bfloat16;
    t.batch = t.channels = 1;
    t.pixels = 1;
    EXPECT_THROW(kernels().residual(t, stream()), std::invalid_argument);
}

TEST_P(GpuKernels, Gate) {
    torch::manual_seed(4);
    for (const std::int64_t size : {1, 3, 4, 8, 255, 257, 1024, 1028, 2048, 2056, 4099}) {
        for (const auto type : types) {
            SCOPED_TRACE(testing::PrintToString(std::tuple(size, type)));
            const auto a = random({size}, type), b = random({size}, type), grad = random({size}, type);
            gpu::SiluGateTask t;
            t.type = gpu::type_of(a);
            t.size = size;
            t.a = a.const_data_ptr();
            t.b = b.const_data_ptr();
            t.grad = grad.const_data_ptr();
            const auto y = run([&](Outputs& outputs) {
                t.y = outputs.make({size}, type).mutable_data_ptr();
                kernels().silu_gate(t, stream());
            })[0];
            const auto backward = run([&](Outputs& outputs) {
                t.a_grad = outputs.make({size}, type).mutable_data_ptr();
                t.b_grad = outputs.make({size}, type).mutable_data_ptr();
                kernels().silu_gate_gradient(t, stream());
            });
            const auto a_ = exact(a).requires_grad_(), b_ = exact(b).requires_grad_();
            const auto y_ = torch::silu(a_) * torch::silu(b_);
            y_.backward(exact(grad));
            expect_near(y, y_, bound_of(type), "y");
            expect_near(backward[0], a_.grad(), bound_of(type), "gradient of a");
            expect_near(backward[1], b_.grad(), bound_of(type), "gradient of b");
        }
    }
}

// --- Adam

struct AdamValues {
    Tensors parameters, grads, exp_avgs, exp_avg_sqs, steps;
};

/// The step that adam.h describes, in float64.
AdamValues stepped(const AdamValues& v, const gpu::AdamTask& t, double lr, double beta1) {
    AdamValues out;
    for (std::size_t i = 0; i < v.parameters.size(); ++i) {
        const double step = v.steps[i].item<double>();
        auto p = exact(v.parameters[i]);
        if (t.decoupled) p = p * (1 - lr * t.weight_decay);
        const auto grad = exact(v.grads[i]) + (t.decoupled ? 0 : t.weight_decay) * p;
        const auto m = beta1 * exact(v.exp_avgs[i]) + (1 - beta1) * grad;
        const auto s = t.beta2 * exact(v.exp_avg_sqs[i]) + (1 - t.beta2) * grad * grad;
        const auto size = (s / (1 - std::pow(t.beta2, step))).sqrt() + t.eps;
        out.parameters.push_back(p - lr / (1 - std::pow(beta1, step)) * m / size);
        out.exp_avgs.push_back(m);
        out.exp_avg_sqs.push_back(s);
    }
    return out;
}

TEST_P(GpuKernels, Adam) {
    torch::manual_seed(5);
    constexpr double lr = 0.0625, beta1 = 0.875;  // the same in float32
    const auto settings = between_nans(torch::tensor({lr, beta1}, torch::kFloat32).to(device));
    const std::vector<std::int64_t> sizes{1, 0, 255, 256, 257, 16384, 16385, 40003};
    for (const std::int64_t count : {1, 2, 8, 64, 65, 130}) {  // a launch holds 64
        for (const bool decoupled : {false, true}) {
            SCOPED_TRACE(testing::PrintToString(std::tuple(count, decoupled)));
            AdamValues before;
            for (std::int64_t i = 0; i < count; ++i) {
                const auto size = i < 8 ? sizes[static_cast<std::size_t>(i)] : i % 5;
                before.parameters.push_back(random({size}));
                before.grads.push_back(random({size}));
                before.exp_avgs.push_back(random({size}));
                before.exp_avg_sqs.push_back(between_nans(torch::rand({size}).to(device)));
                before.steps.push_back(between_nans(torch::full({1}, i + 1.0F).to(device)));
            }
            gpu::AdamTask t;
            t.count = as_int(count);
            t.settings = settings.const_data_ptr<float>();
            t.beta2 = 0.99;
            t.weight_decay = 0.1;
            t.decoupled = decoupled;
            t.average_decay = 0.75;
            Tensors averages;
            for (const auto& p : before.parameters) averages.push_back(random(p.sizes()));
            const auto has_average = [](std::size_t i) { return i % 3 != 1; };
            const auto found = run([&](Outputs& outputs) {
                std::vector<gpu::AdamTensor> tensors;
                for (std::size_t i = 0; i < before.parameters.size(); ++i) {
                    auto p = outputs.made_from(before.parameters[i]),
                         m = outputs.made_from(before.exp_avgs[i]),
                         s = outputs.made_from(before.exp_avg_sqs[i]),
                         average = outputs.made_from(averages[i]);
                    tensors.push_back(
                        {.parameter = p.mutable_data_ptr<float>(),
                         .grad = before.grads[i].const_data_ptr<float>(),
                         .exp_avg = m.mutable_data_ptr<float>(),
                         .exp_avg_sq = s.mutable_data_ptr<float>(),
                         .average = has_average(i) ? average.mutable_data_ptr<float>() : nullptr,
                         .step = before.steps[i].const_data_ptr<float>(),
                         .size = p.numel()});
                }
                t.tensors = tensors.data();
                kernels().adam(t, stream());
            });
            const auto after = stepped(before, t, lr, beta1);
            for (std::size_t i = 0; i < before.parameters.size(); ++i) {
                SCOPED_TRACE(i);
                expect_near(found[4 * i], after.parameters[i], float_bound, "parameter");
                expect_near(found[4 * i + 1], after.exp_avgs[i], float_bound, "mean");
                expect_near(found[4 * i + 2], after.exp_avg_sqs[i], float_bound, "mean square");
                const auto moved = 0.75 * averages[i] + 0.25 * after.parameters[i];
                expect_near(found[4 * i + 3], has_average(i) ? moved : averages[i], float_bound, "average");
            }
        }
    }
}

TEST_P(GpuKernels, AdamOfNoTensorsDoesNothing) {
    kernels().adam({}, stream());
}

// --- Moving glyphs

TEST_P(GpuKernels, MovingGlyphs) {
    const auto glyphs = torch::randint(1, 256, {7, 5, 3}, torch::kUInt8);
    const auto there = glyphs.to(device);
    for (const auto& [digits, canvas, frames] :
         {std::tuple{1, 5, 1}, {2, 17, 3}, {255, 16, 2}, {256, 33, 2}}) {
        SCOPED_TRACE(testing::PrintToString(std::tuple(digits, canvas, frames)));
        gpu::GlyphTask t;
        t.glyphs = there.const_data_ptr<std::uint8_t>();
        t.count = 7;
        t.height = 5;
        t.width = 3;
        t.batch = 3;
        t.frames = frames;
        t.canvas = canvas;
        t.digits = digits;
        t.step = 0.1;
        t.seed = 5;
        t.first = 1000;
        const auto found =
            run([&](Outputs& outputs) {
                t.out = outputs.make({t.batch, frames, canvas, canvas}).mutable_data_ptr<float>();
                kernels().moving_glyphs(t, stream());
            })[0]
                .cpu();
        t.glyphs = glyphs.const_data_ptr<std::uint8_t>();
        for (int n = 0; n < t.batch; ++n) {
            for (int frame = 0; frame < frames; ++frame) {
                std::vector<gpu::GlyphCorner> corners;
                for (int i = 0; i < digits; ++i)
                    corners.push_back(
                        gpu::glyph_corner(t, t.first + static_cast<std::uint64_t>(n), i, frame));
                const auto picture = found[n][frame].contiguous();
                for (int pixel = 0; pixel < canvas * canvas; ++pixel)
                    ASSERT_EQ(picture.data_ptr<float>()[pixel], gpu::glyph_pixel(t, corners.data(), pixel))
                        << n << ' ' << frame << ' ' << pixel;
            }
        }
    }
}

TEST_P(GpuKernels, MovingGlyphsTakesNoMoreThan256) {
    gpu::GlyphTask t;
    t.batch = t.frames = t.canvas = 1;
    t.digits = 257;
    EXPECT_THROW(kernels().moving_glyphs(t, stream()), std::invalid_argument);
}

// --- Limits of a launch

TEST_P(GpuKernels, SayWhatTheyCannotLaunch) {
    const NormCase pictures{65536, 1, 1, 1, 1, 1};
    const auto x = random({1}), gamma = random({1});
    auto norm = norm_task(pictures, x, gamma, gamma);
    EXPECT_THROW(kernels().group_norm_silu(norm, stream()), std::runtime_error);
    gpu::SiluGateTask empty;
    EXPECT_THROW(kernels().silu_gate(empty, stream()), std::runtime_error);
}

INSTANTIATE_TEST_SUITE_P(devices, GpuKernels, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(devices, NormSiluKernels, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(devices, DepthwiseKernels, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(devices, BatchNormKernels, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(devices, AggregationKernels, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(devices, DecompositionKernels, testing::Values("cpu", "cuda"), test::device_name);
INSTANTIATE_TEST_SUITE_P(devices, ResidualKernels, testing::Values("cpu", "cuda"), test::device_name);

}  // namespace
}  // namespace stl
