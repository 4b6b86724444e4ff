// The kernels of every variant that this machine has, against loops in double.
#include "stl/cpu/kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "stl/cpu/packing.h"
#include "stl/cpu/winograd.h"

namespace stl::cpu {
namespace {

std::vector<float> random_values(std::size_t count, unsigned seed, float scale = 1.0F) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> values(count);
    for (auto& value : values) value = normal(engine);
    return values;
}

class KernelsTest : public testing::TestWithParam<Isa> {
  protected:
    const Kernels& k = kernels(GetParam());
};

INSTANTIATE_TEST_SUITE_P(variants, KernelsTest, testing::ValuesIn(available_isas()),
                         [](const auto& param) { return isa_name(param.param); });

TEST_P(KernelsTest, IsTheVariantAskedFor) {
    EXPECT_EQ(k.isa, GetParam());
}

/// As the processor's conversion: to the nearest, ties to even.
std::uint16_t to_bfloat16(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}
double from_bfloat16(std::uint16_t half) {
    const std::uint32_t bits = std::uint32_t{half} << 16U;
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return double{value};
}
/// The halves of words that hold pairs.
std::vector<std::uint16_t> halves_of(const std::vector<float>& words) {
    std::vector<std::uint16_t> halves(2 * words.size());
    std::memcpy(halves.data(), words.data(), words.size() * sizeof(float));
    return halves;
}

TEST_P(KernelsTest, PairsWithinARow) {
    for (const int columns : {1, 2, 15, 16, 17, 32, 45}) {
        SCOPED_TRACE(columns);
        constexpr int rows = 3;
        constexpr float untouched = -77.7F;  // both halves of it say something
        const Index in_row = columns + 4, out_row = (columns + 1) / 2 + 3;
        auto in = random_values(static_cast<std::size_t>(rows * in_row), 1);
        in[0] = std::bit_cast<float>(0x3f808000U);                   // a tie: down to even
        if (columns > 1) in[1] = std::bit_cast<float>(0x3f818000U);  // a tie: up
        std::vector<float> out(static_cast<std::size_t>(rows * out_row), untouched);
        k.narrow_rows({.in = in.data(),
                       .in_row = in_row,
                       .rows = rows,
                       .columns = columns,
                       .out = out.data(),
                       .out_row = out_row});
        const auto halves = halves_of(out);
        for (int r = 0; r < rows; ++r) {
            for (int c = 0; c < columns + columns % 2; ++c) {
                const auto expected =
                    c < columns ? to_bfloat16(in[static_cast<std::size_t>(r * in_row + c)]) : 0;
                ASSERT_EQ(halves[static_cast<std::size_t>(2 * r * out_row + c)], expected) << r << ' ' << c;
            }
            for (Index c = (columns + 1) / 2; c < out_row; ++c) {
                ASSERT_EQ(out[static_cast<std::size_t>(r * out_row + c)], untouched)
                    << "written beyond the pairs";
            }
        }
    }
}

TEST_P(KernelsTest, PairsOfTwoRows) {
    for (const int rows : {1, 2, 5}) {
        SCOPED_TRACE(rows);
        constexpr int columns = 37;
        const auto in = random_values(static_cast<std::size_t>(rows * columns), 1);
        std::vector<float> out(static_cast<std::size_t>((rows + 1) / 2 * columns));
        k.narrow_columns({.in = in.data(),
                          .in_row = columns,
                          .rows = rows,
                          .columns = columns,
                          .out = out.data(),
                          .out_row = columns});
        const auto halves = halves_of(out);
        for (int r = 0; r < rows + rows % 2; ++r) {
            for (int c = 0; c < columns; ++c) {
                const auto expected =
                    r < rows ? to_bfloat16(in[static_cast<std::size_t>(r * columns + c)]) : 0;
                ASSERT_EQ(halves[static_cast<std::size_t>(2 * (r / 2 * columns + c) + r % 2)], expected)
                    << r << ' ' << c;
            }
        }
    }
}

TEST_P(KernelsTest, PairsKeepWhatIsNoNumber) {
    const std::vector<float> in{std::nanf(""), -std::numeric_limits<float>::infinity(),
                                std::bit_cast<float>(0x7fffffffU), 0.0F};
    std::vector<float> out(2);
    k.narrow_rows({.in = in.data(), .in_row = 4, .rows = 1, .columns = 4, .out = out.data(), .out_row = 2});
    const auto halves = halves_of(out);
    EXPECT_TRUE(std::isnan(from_bfloat16(halves[0])));
    EXPECT_EQ(from_bfloat16(halves[1]), -std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::isnan(from_bfloat16(halves[2])));
    EXPECT_EQ(halves[3], 0);
}

struct ProductCase {
    int rows, depth, columns;
};

TEST_P(KernelsTest, ProductOfPairs) {
    for (const auto& [rows, depth, columns] :
         {ProductCase{1, 1, 16}, {5, 7, 32}, {14, 64, 16}, {29, 33, 48}, {256, 100, 80}}) {
        SCOPED_TRACE(rows);
        const int words = words_of(Type::bfloat16, depth);
        const auto a = random_values(static_cast<std::size_t>(rows * depth), 1);
        const auto w = random_values(static_cast<std::size_t>(depth * columns), 2);
        const auto bias = random_values(static_cast<std::size_t>(columns), 3);
        std::vector<float> pairs(static_cast<std::size_t>(rows * words)),
            w_pairs(static_cast<std::size_t>(words * columns)), out(static_cast<std::size_t>(rows * columns));
        k.narrow_rows({.in = a.data(),
                       .in_row = depth,
                       .rows = rows,
                       .columns = depth,
                       .out = pairs.data(),
                       .out_row = words});
        k.narrow_columns({.in = w.data(),
                          .in_row = columns,
                          .rows = depth,
                          .columns = columns,
                          .out = w_pairs.data(),
                          .out_row = columns});
        Product p;
        p.precision = Type::bfloat16;
        p.a = pairs.data();
        p.a_row = words;
        p.depth = words;
        p.w = w_pairs.data();
        p.w_row = columns;
        p.rows = rows;
        p.columns = columns;
        p.out = out.data();
        p.out_row = columns;
        p.bias = bias.data();
        k.product(p);
        for (int r = 0; r < rows; ++r) {
            for (int c = 0; c < columns; ++c) {
                double value = double{bias[static_cast<std::size_t>(c)]};
                for (int i = 0; i < depth; ++i) {
                    value += from_bfloat16(to_bfloat16(a[static_cast<std::size_t>(r * depth + i)])) *
                             from_bfloat16(to_bfloat16(w[static_cast<std::size_t>(i * columns + c)]));
                }
                ASSERT_NEAR(out[static_cast<std::size_t>(r * columns + c)], value, 2e-5) << r << ' ' << c;
            }
        }
    }
}

TEST_P(KernelsTest, Product) {
    for (const auto& [rows, depth, columns] :
         {ProductCase{1, 1, 16}, {5, 7, 32}, {14, 64, 16}, {29, 33, 48}, {256, 100, 80}}) {
        SCOPED_TRACE(rows);
        const Index a_row = depth + 3, out_row = columns + 5;
        const auto a = random_values(static_cast<std::size_t>(rows * a_row), 1);
        const auto w = random_values(static_cast<std::size_t>(depth * columns), 2);
        const auto bias = random_values(static_cast<std::size_t>(columns), 3);
        const auto row_bias = random_values(static_cast<std::size_t>(rows), 4);
        const auto residual = random_values(static_cast<std::size_t>(rows * out_row), 5);
        const auto scale = random_values(static_cast<std::size_t>(columns), 6);
        std::vector<float> out(static_cast<std::size_t>(rows * out_row), -77.0F);
        Product p;
        p.a = a.data();
        p.a_row = a_row;
        p.depth = depth;
        p.w = w.data();
        p.w_row = columns;
        p.rows = rows;
        p.columns = columns;
        p.out = out.data();
        p.out_row = out_row;
        p.bias = bias.data();
        p.row_bias = row_bias.data();
        p.residual = residual.data();
        p.residual_row = out_row;
        p.residual_scale = scale.data();
        k.product(p);
        for (int r = 0; r < rows; ++r) {
            for (int c = 0; c < columns; ++c) {
                double value = double{bias[static_cast<std::size_t>(c)]} +
                               row_bias[static_cast<std::size_t>(r)] +
                               double{scale[static_cast<std::size_t>(c)]} *
                                   residual[static_cast<std::size_t>(r * out_row + c)];
                for (int i = 0; i < depth; ++i) {
                    value += double{a[static_cast<std::size_t>(r * a_row + i)]} *
                             w[static_cast<std::size_t>(i * columns + c)];
                }
                ASSERT_NEAR(out[static_cast<std::size_t>(r * out_row + c)], value, 2e-5) << r << ' ' << c;
            }
            for (Index c = columns; c < out_row; ++c) {
                ASSERT_EQ(out[static_cast<std::size_t>(r * out_row + c)], -77.0F)
                    << "written beyond the columns";
            }
        }
    }
}

TEST_P(KernelsTest, ProductWithTapsIsAConvolution) {
    // A line of pixels with 3 channels, 3 taps of 2 lines apart.
    constexpr int channels = 3, rows = 6, columns = 16, taps = 3;
    const Index line = 50;
    const auto a = random_values(200, 1);
    const auto w = random_values(taps * channels * columns, 2);
    const Index offsets[taps] = {0, line, 2 * line};
    std::vector<float> out(rows * columns);
    Product p;
    p.a = a.data();
    p.a_row = channels;
    p.taps = offsets;
    p.tap_count = taps;
    p.depth = channels;
    p.w = w.data();
    p.w_row = columns;
    p.rows = rows;
    p.columns = columns;
    p.out = out.data();
    p.out_row = columns;
    k.product(p);
    for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < columns; ++c) {
            double value = 0;
            for (int t = 0; t < taps; ++t) {
                for (int i = 0; i < channels; ++i) {
                    value += double{a[static_cast<std::size_t>(t * line + r * channels + i)]} *
                             w[static_cast<std::size_t>((t * channels + i) * columns + c)];
                }
            }
            ASSERT_NEAR(out[static_cast<std::size_t>(r * columns + c)], value, 1e-5);
        }
    }
}

TEST(Packing, OrdersAndPads) {
    const std::vector<float> w{1, 2, 3,   // output 0
                               4, 5, 6};  // output 1
    const Panels panels(w.data(), 3, {1, -1, 0}, {2, 0, -1, 1}, Type::float32);
    EXPECT_EQ(panels.outputs(), 16);
    EXPECT_EQ(panels.depth(), 4);
    EXPECT_EQ(panels.count(), 1);
    EXPECT_EQ(panels.columns(0), 16);
    const float* data = panels.panel(0);
    const auto at = [&](int depth, int output) { return data[depth * panel_columns + output]; };
    EXPECT_EQ(at(0, 0), 6);
    EXPECT_EQ(at(1, 0), 4);
    EXPECT_EQ(at(2, 0), 0);
    EXPECT_EQ(at(3, 2), 2);
    EXPECT_EQ(at(0, 1), 0);
    const Panels narrow(w.data(), 3, {1, -1, 0}, {2, 0, 1}, Type::bfloat16);
    EXPECT_EQ(narrow.depth(), 2);
    std::vector<float> words(narrow.panel(0), narrow.panel(0) + 2 * panel_columns);
    const auto halves = halves_of(words);
    const auto half_at = [&](int depth, int output) {
        return from_bfloat16(
            halves[static_cast<std::size_t>(2 * (depth / 2 * panel_columns + output) + depth % 2)]);
    };
    EXPECT_EQ(half_at(0, 0), 6);
    EXPECT_EQ(half_at(1, 0), 4);
    EXPECT_EQ(half_at(2, 2), 2);
    EXPECT_EQ(half_at(3, 2), 0);
    const std::vector<int> sizes{2, 17};
    const auto order = padded_parts(sizes);
    EXPECT_EQ(order.size(), 48U);
    EXPECT_EQ(order[1], 1);
    EXPECT_EQ(order[2], -1);
    EXPECT_EQ(order[16], 2);
    EXPECT_EQ(order[32], 18);
    EXPECT_EQ(order[33], -1);
}

double reference(Op op, double a, double b, double s, double t, double r) {
    const auto gelu = [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); };
    const auto silu = [](double x) { return x / (1.0 + std::exp(-x)); };
    const auto leaky = [](double x) { return x > 0 ? x : 0.2 * x; };
    switch (op) {
        case Op::gelu:
            return gelu(a);
        case Op::gelu_affine:
            return gelu(a) * s + t;
        case Op::gelu_affine_add:
            return gelu(a) * s + t + b;
        case Op::silu_affine:
            return silu(a * s + t);
        case Op::silu_affine_add:
            return silu(a * s + t) + b;
        case Op::leaky_affine:
            return leaky(a * s + t);
        case Op::leaky_affine_add:
            return leaky(a * s + t) + b;
        case Op::affine:
            return a * s + t;
        case Op::affine_add:
            return a * s + t + b;
        case Op::multiply:
            return a * b;
        case Op::multiply_scaled:
            return a * b * s;
        case Op::sigmoid_gate:
            return a / (1.0 + std::exp(-b));
        case Op::silu_gate:
            return silu(a) * silu(b);
        case Op::subtract_outer:
            return a - r * s;
    }
    return NAN;
}

TEST_P(KernelsTest, Apply) {
    constexpr int rows = 7, columns = 48;
    constexpr Index row = columns + 2;
    const auto a = random_values(rows * row, 1, 4.0F), b = random_values(rows * row, 2, 4.0F);
    const auto scale = random_values(columns, 3), shift = random_values(columns, 4);
    for (int op = 0; op <= static_cast<int>(Op::subtract_outer); ++op) {
        std::vector<float> out(rows * row, -77.0F);
        k.apply(static_cast<Op>(op), {.a = a.data(),
                                      .a_row = row,
                                      .b = b.data(),
                                      .b_row = row,
                                      .scale = scale.data(),
                                      .shift = shift.data(),
                                      .out = out.data(),
                                      .out_row = row,
                                      .rows = rows,
                                      .columns = columns});
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t c = 0; c < columns; ++c) {
                const auto i = r * static_cast<std::size_t>(row) + c;
                const double value =
                    reference(static_cast<Op>(op), double{a[i]}, double{b[i]}, double{scale[c]},
                              double{shift[c]}, double{b[r * static_cast<std::size_t>(row)]});
                ASSERT_NEAR(out[i], value,
                            3e-7 * std::max(1.0, std::abs(value)) + 1e-6 * std::abs(a[i] * scale[c]))
                    << "op " << op << " at " << r << ' ' << c;
            }
        }
    }
}

TEST_P(KernelsTest, ActivationsOverTheirRange) {
    std::vector<float> x;
    for (float value = -100.0F; value <= 100.0F; value += 0.01F) x.push_back(value);
    x.insert(x.end(), {-1e30F, 1e30F, 0.0F, -0.0F, 1e-30F});
    while (x.size() % column_step != 0) x.push_back(0.0F);
    const auto columns = static_cast<int>(x.size());
    std::vector<float> out(x.size());
    for (const auto op : {Op::gelu, Op::silu_affine}) {
        k.apply(op, {.a = x.data(), .out = out.data(), .rows = 1, .columns = columns});
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double value = reference(op, double{x[i]}, 0, 1, 0, 0);
            ASSERT_NEAR(out[i], value, 2e-7 * std::max(1.0, std::abs(value))) << x[i];
        }
    }
}

TEST_P(KernelsTest, Depthwise) {
    struct Case {
        int height, width, kernel, dilation;
    };
    for (const auto& [height, width, kernel, dilation] :
         {Case{16, 16, 3, 1}, {5, 9, 5, 1}, {16, 16, 7, 3}, {3, 2, 11, 1}, {13, 20, 5, 2}}) {
        SCOPED_TRACE(kernel);
        constexpr int columns = 32;
        constexpr Index row = 40;
        const int half = kernel / 2;
        const auto pixels = static_cast<std::size_t>(height * width);
        auto values = random_values(pixels * row, 1);
        const auto in = values;
        const auto w = random_values(static_cast<std::size_t>(kernel * kernel * columns), 2);
        const auto bias = random_values(columns, 3);
        std::vector<float> scratch(depthwise_scratch(height, width, kernel, dilation));
        k.depthwise({.in = values.data(),
                     .in_row = row,
                     .w = w.data(),
                     .w_row = columns,
                     .bias = bias.data(),
                     .out = values.data(),  // in place
                     .out_row = row,
                     .height = height,
                     .width = width,
                     .columns = columns,
                     .kernel = kernel,
                     .dilation = dilation,
                     .scratch = scratch.data()});
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                for (int c = 0; c < columns; ++c) {
                    double value = double{bias[static_cast<std::size_t>(c)]};
                    for (int ky = 0; ky < kernel; ++ky) {
                        for (int kx = 0; kx < kernel; ++kx) {
                            const int fy = y + (ky - half) * dilation, fx = x + (kx - half) * dilation;
                            if (fy < 0 || fx < 0 || fy >= height || fx >= width) continue;
                            value += double{w[static_cast<std::size_t>((ky * kernel + kx) * columns + c)]} *
                                     in[static_cast<std::size_t>((fy * width + fx) * row + c)];
                        }
                    }
                    ASSERT_NEAR(values[static_cast<std::size_t>((y * width + x) * row + c)], value, 2e-5)
                        << y << ' ' << x << ' ' << c;
                }
            }
        }
    }
}

TEST_P(KernelsTest, PoolDifference) {
    constexpr int height = 3, width = 4, columns = 16;
    const auto in = random_values(height * width * columns, 1);
    std::vector<float> out(in.size());
    k.pool_difference({.in = in.data(),
                       .in_row = columns,
                       .out = out.data(),
                       .out_row = columns,
                       .height = height,
                       .width = width,
                       .columns = columns});
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            double sum = 0;
            int count = 0;
            for (int fy = std::max(0, y - 1); fy <= std::min(height - 1, y + 1); ++fy) {
                for (int fx = std::max(0, x - 1); fx <= std::min(width - 1, x + 1); ++fx, ++count) {
                    sum += double{in[static_cast<std::size_t>((fy * width + fx) * columns)]};
                }
            }
            const auto i = static_cast<std::size_t>((y * width + x) * columns);
            ASSERT_NEAR(out[i], sum / count - double{in[i]}, 1e-6);
        }
    }
}

TEST_P(KernelsTest, RowsOfAnyLength) {
    for (const int columns : {1, 15, 16, 37, 200}) {
        SCOPED_TRACE(columns);
        const auto n = static_cast<std::size_t>(columns);
        auto x = random_values(3 * n, 1, 3.0F);
        for (auto& value : x) value += 10.0F;  // the mean well above the deviation
        const auto w = random_values(n, 2);
        std::vector<float> normal(3 * n), dots(3);
        k.normalise_rows(x.data(), columns, 3, columns, 1e-5F, normal.data(), columns);
        k.dot_rows(x.data(), columns, 3, columns, w.data(), 0.5F, dots.data(), 1);
        auto soft = x;
        k.softmax_rows(soft.data(), columns, 3, columns);
        for (std::size_t r = 0; r < 3; ++r) {
            const std::vector<double> row(x.begin() + static_cast<Index>(r * n),
                                          x.begin() + static_cast<Index>((r + 1) * n));
            double mean = 0, variance = 0, dot = 0.5, total = 0;
            const double top = *std::ranges::max_element(row);
            for (std::size_t c = 0; c < n; ++c) {
                mean += row[c] / columns;
                dot += row[c] * double{w[c]};
                total += std::exp(row[c] - top);
            }
            for (const double value : row) variance += (value - mean) * (value - mean) / columns;
            EXPECT_NEAR(dots[r], dot, 1e-4);
            for (std::size_t c = 0; c < n; ++c) {
                ASSERT_NEAR(normal[r * n + c], (row[c] - mean) / std::sqrt(variance + 1e-5),
                            columns == 1 ? 1e-2 : 1e-5);
                ASSERT_NEAR(soft[r * n + c], std::exp(row[c] - top) / total, 1e-6);
            }
        }
    }
}

TEST_P(KernelsTest, ColumnSumsKeepSmallSpreads) {
    // A spread a thousandth of the mean: squares around it, not squares minus its square.
    constexpr int rows = 500, columns = 16;
    auto x = random_values(rows * columns, 1, 0.1F);
    for (auto& value : x) value += 100.0F;
    double sums[columns] = {}, squares[columns] = {};
    float means[columns];
    k.column_sums(x.data(), columns, rows, columns, nullptr, sums);
    for (int c = 0; c < columns; ++c) means[c] = static_cast<float>(sums[c] / rows);
    k.column_sums(x.data(), columns, rows, columns, means, squares);
    for (int c = 0; c < columns; ++c) {
        double mean = 0, variance = 0;
        for (int r = 0; r < rows; ++r) mean += double{x[static_cast<std::size_t>(r * columns + c)]} / rows;
        for (int r = 0; r < rows; ++r) {
            const double difference = double{x[static_cast<std::size_t>(r * columns + c)]} - mean;
            variance += difference * difference / rows;
        }
        EXPECT_NEAR(sums[c] / rows, mean, 1e-4);
        EXPECT_NEAR(squares[c] / rows, variance, 1e-4 * variance);
    }
}

TEST_P(KernelsTest, WinogradIsTheConvolution) {
    // One line of tiles whose outputs end inside the last tile, channel by channel.
    constexpr int columns = 16, tiles = 3, width = 10, height = 3;
    constexpr int in_width = tiles * winograd_tile + 2, in_height = 6;
    const auto in = random_values(in_height * in_width * columns, 1);
    const auto filter = random_values(9, 2);
    const std::vector<float> bias(columns, 0.25F);
    float points[winograd_points];
    winograd_weights(filter.data(), points);
    std::vector<float> values(winograd_points * tiles * columns);
    k.winograd_input({.in = in.data(),
                      .pixel = columns,
                      .line = in_width * columns,
                      .tiles = tiles,
                      .columns = columns,
                      .out = values.data(),
                      .point_stride = tiles * columns});
    std::vector<float> pairs(values.size() / 2), expected_pairs(values.size() / 2);
    k.winograd_input({.in = in.data(),
                      .pixel = columns,
                      .line = in_width * columns,
                      .tiles = tiles,
                      .columns = columns,
                      .precision = Type::bfloat16,
                      .out = pairs.data(),
                      .point_stride = tiles * columns / 2});
    k.narrow_rows({.in = values.data(),
                   .rows = 1,
                   .columns = static_cast<int>(values.size()),
                   .out = expected_pairs.data()});
    EXPECT_EQ(halves_of(pairs), halves_of(expected_pairs));
    for (int p = 0; p < winograd_points; ++p) {
        for (int i = 0; i < tiles * columns; ++i)
            values[static_cast<std::size_t>(p * tiles * columns + i)] *= points[p];
    }
    std::vector<float> out(winograd_tile * tiles * winograd_tile * columns, -77.0F);
    const Index line = tiles * winograd_tile * columns;
    k.winograd_output({.in = values.data(),
                       .point_stride = tiles * columns,
                       .tiles = tiles,
                       .columns = columns,
                       .bias = bias.data(),
                       .out = out.data(),
                       .out_pixel = columns,
                       .out_line = line,
                       .width = width,
                       .height = height});
    for (int y = 0; y < winograd_tile; ++y) {
        for (int x = 0; x < tiles * winograd_tile; ++x) {
            const float got = out[static_cast<std::size_t>(y * line + x * columns + 5)];
            if (y >= height || x >= width) {
                EXPECT_EQ(got, -77.0F) << "written beyond the picture";
                continue;
            }
            double value = 0.25;
            for (int ky = 0; ky < 3; ++ky) {
                for (int kx = 0; kx < 3; ++kx) {
                    value += double{filter[static_cast<std::size_t>(ky * 3 + kx)]} *
                             in[static_cast<std::size_t>(((y + ky) * in_width + x + kx) * columns + 5)];
                }
            }
            EXPECT_NEAR(got, value, 1e-5) << y << ' ' << x;
        }
    }
}

TEST_P(KernelsTest, WinogradTakesAndStoresBfloat16) {
    constexpr int columns = 32, tiles = 2, width = 7, height = 2;
    constexpr int in_width = tiles * winograd_tile + 2, in_height = 6;
    auto in = random_values(in_height * in_width * columns, 3);
    std::vector<std::uint16_t> halves;
    for (auto& value : in) {
        halves.push_back(to_bfloat16(value));
        value = static_cast<float>(from_bfloat16(halves.back()));
    }
    WinogradInput input{.in = in.data(),
                        .pixel = columns,
                        .line = in_width * columns,
                        .tiles = tiles,
                        .columns = columns,
                        .point_stride = tiles * columns};
    std::vector<float> of_floats(winograd_points * tiles * columns), of_halves(of_floats.size());
    input.out = of_floats.data();
    k.winograd_input(input);
    input.stored = Type::bfloat16;
    input.in = halves.data();
    input.out = of_halves.data();
    k.winograd_input(input);
    for (std::size_t i = 0; i < of_floats.size(); ++i) EXPECT_NEAR(of_halves[i], of_floats[i], 1e-5) << i;

    constexpr std::size_t outputs = winograd_tile * tiles * winograd_tile * columns;
    std::vector<float> floats(outputs, 1.0F);
    std::vector<std::uint16_t> stored(outputs, to_bfloat16(1.0F));
    WinogradOutput output{.in = of_floats.data(),
                          .point_stride = tiles * columns,
                          .tiles = tiles,
                          .columns = columns,
                          .out = floats.data(),
                          .out_pixel = columns,
                          .out_line = tiles * winograd_tile * columns,
                          .width = width,
                          .height = height};
    k.winograd_output(output);
    output.stored = Type::bfloat16;
    output.out = stored.data();
    k.winograd_output(output);
    for (std::size_t i = 0; i < outputs; ++i)
        EXPECT_NEAR(from_bfloat16(stored[i]), floats[i], std::abs(floats[i]) / 256 + 1e-5) << i;
}

TEST_P(KernelsTest, WinogradGivesTheFiltersGradient) {
    // Three pictures; tiles reach over both edges; the second call of add() finds the block part full.
    constexpr int inputs = 16, outputs = 48, width = 70, height = 7, pictures = 3;
    Plane plane{.height = height, .width = width, .channels = inputs, .border = 1};
    std::vector<float> sums(WinogradFilterSums::sums_floats(inputs, outputs)),
        scratch(WinogradFilterSums::scratch_floats(width, inputs, outputs), 77.7F);
    WinogradFilterSums filters(k, width, inputs, outputs, scratch.data(), sums.data());
    std::vector<std::vector<float>> planes, grads;
    for (unsigned n = 0; n < pictures; ++n) {
        auto& memory = planes.emplace_back(plane.floats());
        plane.data = memory.data();
        const auto values = random_values(height * width * inputs, 10 + n);
        for (int y = 0; y < height; ++y)
            std::copy_n(&values[static_cast<std::size_t>(y * width * inputs)], width * inputs,
                        plane.at(y, 0));
        grads.push_back(random_values(height * width * outputs, 20 + n));
        filters.add(plane, grads.back().data());
    }
    filters.finish();
    for (const int i : {0, 7, 15}) {
        for (const int o : {0, 31, 32, 47}) {
            float points[winograd_points], found[9];
            for (int p = 0; p < winograd_points; ++p)
                points[p] = sums[static_cast<std::size_t>((p * inputs + i) * outputs + o)];
            winograd_weights_gradient(points, found);
            for (int tap = 0; tap < 9; ++tap) {
                double expected = 0;
                for (std::size_t n = 0; n < pictures; ++n) {
                    plane.data = planes[n].data();
                    for (int y = 0; y < height; ++y) {
                        for (int x = 0; x < width; ++x) {
                            expected += double{plane.at(y + tap / 3 - 1, x + tap % 3 - 1)[i]} *
                                        grads[n][static_cast<std::size_t>((y * width + x) * outputs + o)];
                        }
                    }
                }
                EXPECT_NEAR(found[tap], expected, 1e-3) << i << ' ' << o << ' ' << tap;
            }
        }
    }
}

/// Sum over a filter's taps, zeros around, in double.
double filtered(const float* plane, const float* w, int height, int width, int kernel, int dilation, int y,
                int x) {
    double total = 0;
    for (int i = 0; i < kernel; ++i) {
        for (int j = 0; j < kernel; ++j) {
            const int from_y = y + (i - kernel / 2) * dilation, from_x = x + (j - kernel / 2) * dilation;
            if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width) continue;
            total +=
                static_cast<double>(w[i * kernel + j]) * static_cast<double>(plane[from_y * width + from_x]);
        }
    }
    return total;
}

// Tiles and vectors that cross cache lines take twice as long to load.
TEST(Plane, EndsWithACacheLine) {
    const Plane picture{.height = 13, .width = 7, .channels = 1, .border = 1};
    EXPECT_EQ(picture.floats() * sizeof(float) % 64, 0U);
    EXPECT_GE(picture.floats(), static_cast<std::size_t>(picture.lines() * picture.line()));
}

struct PlaneCase {
    int height, width, kernel, dilation;
};

class PlaneTest : public KernelsTest {
  protected:
    static inline const std::vector<PlaneCase> cases{{16, 16, 3, 1}, {16, 16, 5, 2}, {16, 16, 7, 3},
                                                     {5, 37, 11, 1}, {1, 1, 3, 1},   {7, 3, 7, 3},
                                                     {32, 32, 9, 1}, {13, 20, 5, 1}};
};

INSTANTIATE_TEST_SUITE_P(variants, PlaneTest, testing::ValuesIn(available_isas()),
                         [](const auto& param) { return isa_name(param.param); });

TEST_P(PlaneTest, DepthwiseFiltersAPlaneAndGivesItsGradient) {
    for (const auto& [height, width, kernel, dilation] : cases) {
        SCOPED_TRACE(testing::Message()
                     << height << "x" << width << " kernel " << kernel << " dilation " << dilation);
        const auto size = static_cast<std::size_t>(height * width),
                   taps = static_cast<std::size_t>(kernel * kernel);
        const auto in = random_values(size, 1), w = random_values(taps, 2);
        std::vector<float> reversed(w.rbegin(), w.rend());
        for (const bool flipped : {false, true}) {
            std::vector<float> out(size, -77.0F),
                scratch(plane_scratch(height, width, kernel, dilation), 55.0F);
            k.training.plane_depthwise({.in = in.data(),
                                        .w = w.data(),
                                        .flipped = flipped,
                                        .bias = 0.25F,
                                        .out = out.data(),
                                        .height = height,
                                        .width = width,
                                        .kernel = kernel,
                                        .dilation = dilation,
                                        .scratch = scratch.data()});
            const float* filter = flipped ? reversed.data() : w.data();
            for (int y = 0; y < height; ++y) {
                for (int x = 0; x < width; ++x) {
                    const double expected =
                        0.25 + filtered(in.data(), filter, height, width, kernel, dilation, y, x);
                    ASSERT_NEAR(out[static_cast<std::size_t>(y * width + x)], expected, 2e-5)
                        << y << "," << x;
                }
            }
        }
    }
}

TEST_P(PlaneTest, DepthwiseWeightsAreCorrelationsOfInputAndGradient) {
    constexpr int batch = 3, step_slack = 5;
    for (const auto& [height, width, kernel, dilation] : cases) {
        SCOPED_TRACE(testing::Message()
                     << height << "x" << width << " kernel " << kernel << " dilation " << dilation);
        const int size = height * width, step = size + step_slack;
        const auto in = random_values(static_cast<std::size_t>(batch * step), 1),
                   grad = random_values(static_cast<std::size_t>(batch * step), 2);
        std::vector<float> w_grad(static_cast<std::size_t>(kernel * kernel), -77.0F),
            scratch(plane_scratch(height, width, kernel, dilation), 55.0F);
        float bias_grad = -77;
        k.training.plane_depthwise_weights({.in = in.data(),
                                            .grad = grad.data(),
                                            .batch = batch,
                                            .in_step = step,
                                            .grad_step = step,
                                            .height = height,
                                            .width = width,
                                            .kernel = kernel,
                                            .dilation = dilation,
                                            .w_grad = w_grad.data(),
                                            .bias_grad = &bias_grad,
                                            .scratch = scratch.data()});
        double bias = 0;
        for (int n = 0; n < batch; ++n) {
            for (int i = 0; i < size; ++i)
                bias += static_cast<double>(grad[static_cast<std::size_t>(n * step + i)]);
        }
        EXPECT_NEAR(bias_grad, bias, 1e-4);
        std::vector<float> one(w_grad.size());
        for (std::size_t tap = 0; tap < one.size(); ++tap) {
            one.assign(one.size(), 0.0F);
            one[tap] = 1;  // the convolution with this filter shifts the input by the tap
            double expected = 0;
            for (int n = 0; n < batch; ++n) {
                for (int y = 0; y < height; ++y) {
                    for (int x = 0; x < width; ++x) {
                        expected +=
                            static_cast<double>(grad[static_cast<std::size_t>(n * step + y * width + x)]) *
                            filtered(in.data() + n * step, one.data(), height, width, kernel, dilation, y, x);
                    }
                }
            }
            ASSERT_NEAR(w_grad[tap], expected, 1e-4) << "tap " << tap;
        }
    }
}

}  // namespace
}  // namespace stl::cpu
