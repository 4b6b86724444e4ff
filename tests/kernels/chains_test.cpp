// The training kernels' chains of elementwise operations, every variant that this machine has, against loops
// in double; gradients against differences of the forward loops.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "stl/kernels/kernels.h"

namespace stl::kernels {
namespace {

using Values = std::vector<float>;

Values random_values(std::size_t count, unsigned seed) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0.3F, 1.5F);
    Values values(count);
    for (auto& value : values) value = normal(engine);
    return values;
}

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

TEST_P(ChainsTest, blend_and_dot) {
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

TEST_P(ChainsTest, gelu_its_weighted_sum_and_gradient) {
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

TEST_P(ChainsTest, gelu_gradient_over_its_range) {
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

TEST_P(ChainsTest, aggregation_gradients) {
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

TEST_P(ChainsTest, decompose_silu_and_its_gradients) {
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

TEST_P(ChainsTest, silu_gate_and_its_gradients) {
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

}  // namespace
}  // namespace stl::kernels
