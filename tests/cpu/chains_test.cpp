// The training kernels' chains of elementwise operations, every variant that this machine has, against loops
// in double; gradients against differences of the forward loops.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "stl/cpu/kernels.h"

namespace stl::cpu {
namespace {

using Values = std::vector<float>;

Values random_values(std::size_t count, unsigned seed) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0.3F, 1.5F);
    Values values(count);
    for (auto& value : values) value = normal(engine);
    return values;
}

struct NormCase {
    int channels, groups, height, width;
    bool shuffle;
};

double gelu(double x) {
    return x * std::erfc(-x / std::sqrt(2.0)) / 2;
}

double silu(double x) {
    return x / (1 + std::exp(-x));
}

/// The slope of f at x.
template <class F>
double slope(F f, double x) {
    constexpr double step = 1e-5;
    return (f(x + step) - f(x - step)) / (2 * step);
}

/// In pairs of bfloat16, and back.
Values narrowed(const Values& values) {
    const auto count = static_cast<int>(values.size());
    Values pairs(static_cast<std::size_t>(words_of(Type::bfloat16, count)));
    kernels().narrow_rows({.in = values.data(), .rows = 1, .columns = count, .out = pairs.data()});
    return pairs;
}
double half_of(const Values& pairs, std::size_t i) {
    const auto bits = std::bit_cast<std::uint32_t>(pairs[i / 2]);
    return double{std::bit_cast<float>(i % 2 == 0 ? bits << 16U : bits & 0xffff0000U)};
}
constexpr double bfloat16_rounding = 1.0 / 256;  // of a value: half a unit of eight bits

class ChainsTest : public testing::TestWithParam<Isa> {
  protected:
    /// check(count, inputs) for runs that fill vectors, and that do not.
    static void for_lengths(const std::function<void(Index, const std::vector<Values>&)>& check) {
        for (const Index count : {1, 7, 16, 77, 1100}) {
            SCOPED_TRACE(count);
            const auto n = static_cast<std::size_t>(count);
            check(count,
                  {random_values(n, 1), random_values(n, 2), random_values(n, 3), random_values(n, 4)});
        }
    }
    const TrainingKernels& k = kernels(GetParam()).training;
};

INSTANTIATE_TEST_SUITE_P(variants, ChainsTest, testing::ValuesIn(available_isas()),
                         [](const auto& param) { return isa_name(param.param); });

TEST_P(ChainsTest, BlendAndDot) {
    for_lengths([&](Index count, const std::vector<Values>& in) {
        Values out(in[0].size());
        k.blend(
            {.a = in[0].data(), .s = 0.5F, .b = in[1].data(), .t = -3, .out = out.data(), .count = count});
        double sum = 0;
        for (std::size_t i = 0; i < out.size(); ++i) {
            ASSERT_NEAR(out[i], 0.5 * double{in[0][i]} - 3 * double{in[1][i]}, 2e-6);
            sum += double{in[0][i]} * double{in[1][i]};
        }
        EXPECT_NEAR(k.dot(in[0].data(), in[1].data(), count), sum, 1e-6 * static_cast<double>(count) + 1e-6);
    });
}

TEST_P(ChainsTest, GeluItsWeightedSumAndGradient) {
    for_lengths([&](Index count, const std::vector<Values>& in) {
        Values out(in[0].size()), alone(out), sums = in[1], grad(out);
        k.gelu({.in = in[0].data(), .out = out.data(), .count = count, .weight = 2, .sums = sums.data()});
        k.gelu({.in = in[0].data(), .out = alone.data(), .count = count});
        k.gelu_backward({.in = in[0].data(), .grad = in[1].data(), .in_grad = grad.data(), .count = count});
        for (std::size_t i = 0; i < out.size(); ++i) {
            const double x = double{in[0][i]};
            ASSERT_NEAR(out[i], gelu(x), 1e-6);
            ASSERT_EQ(out[i], alone[i]);
            ASSERT_NEAR(sums[i], double{in[1][i]} + 2 * gelu(x), 2e-6);
            ASSERT_NEAR(grad[i], double{in[1][i]} * slope(gelu, x), 4e-6);
        }
    });
}

TEST_P(ChainsTest, GeluInBfloat16) {
    for_lengths([&](Index count, const std::vector<Values>& in) {
        const auto x = narrowed(in[0]), grad = narrowed(in[1]);
        Values out(x.size()), x_grad(x.size());
        k.gelu({.precision = Type::bfloat16, .in = x.data(), .out = out.data(), .count = count});
        k.gelu_backward({.precision = Type::bfloat16,
                         .in = x.data(),
                         .grad = grad.data(),
                         .in_grad = x_grad.data(),
                         .count = count});
        for (std::size_t i = 0; i < in[0].size(); ++i) {
            const double y = gelu(half_of(x, i)), dx = half_of(grad, i) * slope(gelu, half_of(x, i));
            ASSERT_NEAR(half_of(out, i), y, bfloat16_rounding * std::abs(y) + 1e-6);
            ASSERT_NEAR(half_of(x_grad, i), dx, bfloat16_rounding * std::abs(dx) + 4e-6);
        }
    });
}

TEST_P(ChainsTest, GeluGradientOverItsRange) {
    Values in, ones, grad;
    for (double x = -12; x <= 12; x += 0.01) in.push_back(static_cast<float>(x));
    ones.assign(in.size(), 1.0F);
    grad.resize(in.size());
    k.gelu_backward({.in = in.data(),
                     .grad = ones.data(),
                     .in_grad = grad.data(),
                     .count = static_cast<Index>(in.size())});
    for (std::size_t i = 0; i < in.size(); ++i)
        ASSERT_NEAR(grad[i], slope(gelu, double{in[i]}), 1e-6) << in[i];
}

TEST_P(ChainsTest, AggregationGradients) {
    constexpr double sigma = 0.25, weight = -0.75;
    for_lengths([&](Index count, const std::vector<Values>& in) {
        Values out(in[0].size());
        double sigma_grad = 10, weight_grad = 20;
        k.aggregation_backward({.in = in[0].data(),
                                .grad = in[1].data(),
                                .gate = in[2].data(),
                                .sum_grad = in[3].data(),
                                .sigma = static_cast<float>(sigma),
                                .weight = static_cast<float>(weight),
                                .in_grad = out.data(),
                                .count = count,
                                .sigma_grad = &sigma_grad,
                                .weight_grad = &weight_grad});
        double of_sigma = 10, of_weight = 20;
        for (std::size_t i = 0; i < out.size(); ++i) {
            const double x = double{in[0][i]}, grad = double{in[1][i]}, sum_grad = double{in[3][i]};
            ASSERT_NEAR(out[i], (grad * (1 + sigma) + sum_grad * weight) * slope(gelu, x), 8e-6);
            of_sigma += grad * (gelu(x) - double{in[2][i]});
            of_weight += sum_grad * gelu(x);
        }
        EXPECT_NEAR(sigma_grad, of_sigma, 4e-6 * static_cast<double>(count) + 1e-5);
        EXPECT_NEAR(weight_grad, of_weight, 4e-6 * static_cast<double>(count) + 1e-5);
    });
}

TEST_P(ChainsTest, DecomposeSiluAndItsGradients) {
    constexpr double sigma = 0.5;
    for_lengths([&](Index count, const std::vector<Values>& in) {
        const auto n = static_cast<double>(count);
        Values out(in[0].size()), grad(out);
        double sigma_grad = 5;
        k.decompose_silu({.in = in[0].data(), .sigma = 0.5F, .out = out.data(), .count = count});
        DecomposeSiluBackward task;
        task.forward.in = in[0].data();
        task.forward.sigma = 0.5F;
        task.forward.count = count;
        task.grad = in[1].data();
        task.in_grad = grad.data();
        task.sigma_grad = &sigma_grad;
        k.decompose_silu_backward(task);
        double mean = 0, z_sum = 0, of_sigma = 5;
        for (const float p : in[0]) mean += double{p} / n;
        const auto z = [&](std::size_t i) { return (1 + sigma) * double{in[0][i]} - sigma * mean; };
        for (std::size_t i = 0; i < out.size(); ++i) {
            const double z_grad = double{in[1][i]} * slope(silu, z(i));
            z_sum += z_grad;
            of_sigma += z_grad * (double{in[0][i]} - mean);
        }
        for (std::size_t i = 0; i < out.size(); ++i) {
            ASSERT_NEAR(out[i], silu(z(i)), 4e-6);
            ASSERT_NEAR(grad[i], (1 + sigma) * double{in[1][i]} * slope(silu, z(i)) - sigma * z_sum / n,
                        8e-6);
        }
        EXPECT_NEAR(sigma_grad, of_sigma, 4e-6 * n + 1e-5);
    });
}

TEST_P(ChainsTest, SiluGateAndItsGradients) {
    for_lengths([&](Index count, const std::vector<Values>& in) {
        Values out(in[0].size()), a_grad(out), b_grad(out);
        k.silu_gate({.a = in[0].data(), .b = in[1].data(), .out = out.data(), .count = count});
        SiluGateBackward task;
        task.forward.a = in[0].data();
        task.forward.b = in[1].data();
        task.forward.count = count;
        task.grad = in[2].data();
        task.a_grad = a_grad.data();
        task.b_grad = b_grad.data();
        k.silu_gate_backward(task);
        for (std::size_t i = 0; i < out.size(); ++i) {
            const double a = double{in[0][i]}, b = double{in[1][i]}, grad = double{in[2][i]};
            ASSERT_NEAR(out[i], silu(a) * silu(b), 8e-6);
            ASSERT_NEAR(a_grad[i], grad * slope(silu, a) * silu(b), 2e-5);
            ASSERT_NEAR(b_grad[i], grad * silu(a) * slope(silu, b), 2e-5);
        }
    });
}

/// Where each value of x [height][width][places][channels] goes.
std::vector<std::size_t> shuffled(const NormCase& c) {
    const int places = c.shuffle ? 4 : 1, grow = c.shuffle ? 2 : 1;
    std::vector<std::size_t> to;
    for (int y = 0; y < c.height; ++y) {
        for (int x = 0; x < c.width; ++x) {
            for (int p = 0; p < places; ++p) {
                const int row = y * grow + p / 2, column = x * grow + p % 2;
                for (int channel = 0; channel < c.channels; ++channel)
                    to.push_back(
                        static_cast<std::size_t>((row * c.width * grow + column) * c.channels + channel));
            }
        }
    }
    return to;
}

/// The layer in double.
std::vector<double> group_norm_silu(const NormCase& c, const std::vector<double>& x, const Values& gamma,
                                    const Values& beta) {
    const auto to = shuffled(c);
    const int size = c.channels / c.groups;
    std::vector<double> y(x.size());
    for (int group = 0; group < c.groups; ++group) {
        const auto in_group = [&](std::size_t i) { return static_cast<int>(i) % c.channels / size == group; };
        double sum = 0, squares = 0, count = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (in_group(i)) {
                sum += x[i];
                ++count;
            }
        }
        for (std::size_t i = 0; i < x.size(); ++i)
            if (in_group(i)) squares += (x[i] - sum / count) * (x[i] - sum / count);
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (!in_group(i)) continue;
            const auto channel = i % static_cast<std::size_t>(c.channels);
            const double normal = (x[i] - sum / count) / std::sqrt(squares / count + 1e-5);
            y[to[i]] = silu(normal * double{gamma[channel]} + double{beta[channel]});
        }
    }
    return y;
}

/// The layer's forward and backward pass on one picture.
struct NormRun {
    NormRun(const TrainingKernels& k, const NormCase& c, Type precision, const Values& x, const Values& grad,
            const Values& gamma, const Values& beta)
        : out(x.size()), x_grad(x.size()), gamma_grad(gamma.size()), beta_grad(gamma.size()) {
        Values mean(static_cast<std::size_t>(c.groups)), rstd(mean);
        std::vector<double> scratch(group_norm_scratch(c.channels));
        const GroupNormSilu task{.precision = precision,
                                 .in = x.data(),
                                 .channels = c.channels,
                                 .groups = c.groups,
                                 .height = c.height,
                                 .width = c.width,
                                 .shuffle = c.shuffle,
                                 .gamma = gamma.data(),
                                 .beta = beta.data(),
                                 .out = out.data(),
                                 .mean = mean.data(),
                                 .rstd = rstd.data(),
                                 .scratch = scratch.data()};
        k.group_norm_silu(task);
        k.group_norm_silu_backward({.forward = task,
                                    .grad = grad.data(),
                                    .in_grad = x_grad.data(),
                                    .gamma_grad = gamma_grad.data(),
                                    .beta_grad = beta_grad.data()});
    }

    Values out, x_grad, gamma_grad, beta_grad;
};

TEST_P(ChainsTest, GroupNormSiluAndItsGradients) {
    for (const auto& c : {NormCase{16, 2, 3, 5, false},
                          {6, 2, 9, 8, false},
                          {34, 2, 4, 3, true},
                          {4, 1, 1, 70, true},
                          {20, 4, 1, 2, false}}) {
        SCOPED_TRACE(c.channels);
        const auto channels = static_cast<std::size_t>(c.channels);
        const auto count = channels * static_cast<std::size_t>(c.height * c.width * (c.shuffle ? 4 : 1));
        const auto x = random_values(count, 1), grad = random_values(count, 2);
        const auto gamma = random_values(channels, 3), beta = random_values(channels, 4);
        const NormRun run(k, c, Type::float32, x, grad, gamma, beta);
        const std::vector<double> exact(x.begin(), x.end());
        const auto y = group_norm_silu(c, exact, gamma, beta);
        for (std::size_t i = 0; i < count; ++i) ASSERT_NEAR(run.out[i], y[i], 1e-5) << i;
        const auto loss = [&](const std::vector<double>& at, const Values& g, const Values& b) {
            const auto value = group_norm_silu(c, at, g, b);
            double sum = 0;
            for (std::size_t i = 0; i < count; ++i) sum += value[i] * double{grad[i]};
            return sum;
        };
        constexpr double step = 1e-4;
        for (std::size_t i = 0; i < count; i += 7) {
            auto more = exact, less = exact;
            more[i] += step;
            less[i] -= step;
            ASSERT_NEAR(run.x_grad[i], (loss(more, gamma, beta) - loss(less, gamma, beta)) / (2 * step), 2e-4)
                << i;
        }
        for (std::size_t i = 0; i < channels; ++i) {
            const auto along = [&](bool of_gamma) {
                constexpr float wide = 1.0F / 256;
                auto more = of_gamma ? gamma : beta, less = more;
                more[i] += wide;
                less[i] -= wide;
                const double change = of_gamma ? loss(exact, more, beta) - loss(exact, less, beta)
                                               : loss(exact, gamma, more) - loss(exact, gamma, less);
                return change / (double{more[i]} - double{less[i]});
            };
            ASSERT_NEAR(run.gamma_grad[i], along(true), 2e-3) << i;
            ASSERT_NEAR(run.beta_grad[i], along(false), 2e-3) << i;
        }
    }
}

TEST_P(ChainsTest, GroupNormSiluInBfloat16) {
    for (const auto& c : {NormCase{16, 2, 3, 5, false}, {6, 2, 9, 8, false}, {34, 2, 4, 3, true}}) {
        SCOPED_TRACE(c.channels);
        const auto channels = static_cast<std::size_t>(c.channels);
        const auto count = channels * static_cast<std::size_t>(c.height * c.width * (c.shuffle ? 4 : 1));
        const auto pairs = narrowed(random_values(count, 1)), grad_pairs = narrowed(random_values(count, 2));
        Values x(count), grad(count);
        for (std::size_t i = 0; i < count; ++i) {
            x[i] = static_cast<float>(half_of(pairs, i));
            grad[i] = static_cast<float>(half_of(grad_pairs, i));
        }
        const auto gamma = random_values(channels, 3), beta = random_values(channels, 4);
        const NormRun wide(k, c, Type::float32, x, grad, gamma, beta);
        const NormRun narrow(k, c, Type::bfloat16, pairs, grad_pairs, gamma, beta);
        for (std::size_t i = 0; i < count; ++i) {
            const double y = double{wide.out[i]}, dx = double{wide.x_grad[i]};
            ASSERT_NEAR(half_of(narrow.out, i), y, bfloat16_rounding * std::abs(y) + 1e-6) << i;
            ASSERT_NEAR(half_of(narrow.x_grad, i), dx, bfloat16_rounding * std::abs(dx) + 1e-6) << i;
        }
        EXPECT_EQ(narrow.gamma_grad, wide.gamma_grad);
        EXPECT_EQ(narrow.beta_grad, wide.beta_grad);
    }
}

TEST_P(ChainsTest, GroupNormSiluKeepsItsDigits) {
    // Beside a large mean, and beside an outlier in the picture's corner.
    const NormCase c{32, 2, 16, 16, false};
    const std::size_t channels = 32, count = 32 * 16 * 16;
    const Values gamma(channels, 1.0F), beta(channels, 0.5F);
    for (const bool outlier : {false, true}) {
        SCOPED_TRACE(outlier);
        auto x = random_values(count, 1);
        for (auto& value : x) value = std::round(value * 64) / 64 + (outlier ? 0.0F : 64.0F);
        if (outlier) x[0] = x[16] = 3000.0F;
        const NormRun run(k, c, Type::float32, x, x, gamma, beta);
        const auto y = group_norm_silu(c, std::vector<double>(x.begin(), x.end()), gamma, beta);
        for (std::size_t i = 0; i < count; ++i)
            ASSERT_NEAR(run.out[i], y[i], 2e-5 * (1 + std::abs(y[i]))) << i;
    }
}

}  // namespace
}  // namespace stl::cpu
