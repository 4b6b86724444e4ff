// Products of whole matrices on every set of instructions that this machine has, and on emulated tiles.
#include "stl/cpu/matrix_product.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "stl/cpu/parallel.h"
#include "tests/support/emulated_tiles.h"

namespace stl::cpu {
namespace {

using Source = RightFactor::Source;

float widened(std::uint16_t bits) {
    return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}

/// The nearest bfloat16, ties to even.
std::uint16_t narrowed(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}

struct Sizes {
    int rows, depth, columns;
};

/// Whole blocks and their ends: of rows (256), depth (512 values), panels (32 columns) and groups of panels (4).
const std::vector<Sizes> sizes{{16, 32, 32}, {5, 7, 16}, {300, 48, 176}, {33, 1030, 48}, {270, 513, 144}};

/// A matrix in the type and order that `source` says, of values that bfloat16 holds unless it is to be rounded.
struct Matrix {
    Matrix(Source kind, int rows, int columns)
        : source(kind), in_row(kind == Source::turned_float32 ? rows + 3 : columns + 5) {
        std::mt19937 engine(11);
        std::normal_distribution<float> normal;
        const auto lines = static_cast<std::size_t>(kind == Source::turned_float32 ? columns : rows);
        floats.resize(lines * static_cast<std::size_t>(in_row));
        for (auto& value : floats) {
            value = normal(engine);
            halves.push_back(narrowed(value));
        }
    }
    /// As the product takes it.
    double at(int r, int c) const {
        const auto i = source == Source::turned_float32 ? c * in_row + r : r * in_row + c;
        return double{widened(halves[static_cast<std::size_t>(i)])};
    }
    const void* data() const {
        return source == Source::bfloat16 ? static_cast<const void*>(halves.data()) : floats.data();
    }

    Source source;
    Index in_row;
    std::vector<float> floats;
    std::vector<std::uint16_t> halves;
};

void expect_sums(const Kernels& kernels, const Sizes& s, Source source, Type stored, bool turned) {
    SCOPED_TRACE(testing::Message() << isa_name(kernels.isa) << ", " << s.rows << " x " << s.depth << " x "
                                    << s.columns << ", source " << static_cast<int>(source));
    const Matrix right(source, s.depth, s.columns);
    const Index left_row = (s.depth + 1) / 2 * 2;
    std::mt19937 engine(12);
    std::normal_distribution<float> normal;
    std::vector<std::uint16_t> left(static_cast<std::size_t>(s.rows * left_row));
    for (std::size_t i = 0; i < left.size(); ++i) {
        const bool padding = static_cast<Index>(i) % left_row >= s.depth;
        left[i] = padding ? std::uint16_t{0} : narrowed(normal(engine));
    }
    std::vector<float> bias(static_cast<std::size_t>(s.columns));
    for (auto& value : bias) value = normal(engine);

    const RightFactor factor{
        .in = right.data(), .in_row = right.in_row, .source = source, .depth = s.depth, .columns = s.columns};
    std::vector<float> packed(factor.packed_floats(), std::numeric_limits<float>::quiet_NaN());
    factor.pack(kernels, packed.data());

    const Index out_row = s.columns + 2;
    constexpr float untouched = -77.0F;
    const auto cells = static_cast<std::size_t>(s.rows * out_row);
    std::vector<float> floats(cells, untouched);
    std::vector<std::uint16_t> halves(cells, narrowed(untouched));
    const bool narrow = stored == Type::bfloat16;
    // The same left factor as columns.
    std::vector<std::uint16_t> left_turned(static_cast<std::size_t>(s.depth * s.rows));
    for (Index r = 0; r < s.rows; ++r) {
        for (Index k = 0; k < s.depth; ++k) {
            left_turned[static_cast<std::size_t>(k * s.rows + r)] =
                left[static_cast<std::size_t>(r * left_row + k)];
        }
    }
    std::vector<float> left_sums(static_cast<std::size_t>(s.rows), untouched);
    std::vector<float> scratch(product_scratch() * static_cast<std::size_t>(thread_count()),
                               std::numeric_limits<float>::quiet_NaN());
    MatrixProduct{.left = turned ? left_turned.data() : left.data(),
                  .left_row = turned ? s.rows : left_row,
                  .turned = turned,
                  .left_sums = turned ? left_sums.data() : nullptr,
                  .right = packed.data(),
                  .bias = bias.data(),
                  .rows = s.rows,
                  .depth = s.depth,
                  .columns = s.columns,
                  .stored = stored,
                  .out = narrow ? static_cast<void*>(halves.data()) : floats.data(),
                  .out_row = out_row,
                  .scratch = scratch.data()}
        .run(kernels);

    for (int r = 0; r < s.rows; ++r) {
        if (turned) {
            const auto* row = &left[static_cast<std::size_t>(r * left_row)];
            double sum = 0, size = 0;
            for (int k = 0; k < s.depth; ++k) {
                sum += double{widened(row[k])};
                size += std::abs(double{widened(row[k])});
            }
            ASSERT_NEAR(left_sums[static_cast<std::size_t>(r)], sum, 2e-6 * size);
        }
        for (int c = 0; c < out_row; ++c) {
            const auto i = static_cast<std::size_t>(r * out_row + c);
            const float found = narrow ? widened(halves[i]) : floats[i];
            if (c >= s.columns) {
                ASSERT_EQ(found, untouched) << "written beside row " << r;
                continue;
            }
            double sum = double{bias[static_cast<std::size_t>(c)]}, size = std::abs(sum);
            for (int k = 0; k < s.depth; ++k) {
                const double product =
                    double{widened(left[static_cast<std::size_t>(r * left_row + k)])} * right.at(k, c);
                sum += product;
                size += std::abs(product);
            }
            const double rounding = narrow ? std::abs(sum) / 256 : 0;
            ASSERT_NEAR(found, sum, 2e-6 * size + rounding) << "row " << r << ", column " << c;
        }
    }
}

class MatrixProductTest : public testing::TestWithParam<Source> {};

TEST_P(MatrixProductTest, EqualsTheSums) {
    for (const auto& s : sizes) {
        for (const auto* each : test::all_kernels()) {
            expect_sums(*each, s, GetParam(), Type::float32, false);
            expect_sums(*each, s, GetParam(), Type::bfloat16, false);
            expect_sums(*each, s, GetParam(), Type::float32, true);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(sources, MatrixProductTest,
                         testing::Values(Source::turned_float32, Source::float32, Source::bfloat16));

}  // namespace
}  // namespace stl::cpu
