// Products in bfloat16 on tiles: emulated on any machine, and bit for bit on the processor's where there are any.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "stl/cpu/kernels.h"
#include "stl/cpu/packing.h"
#include "tests/support/emulated_tiles.h"

namespace stl::cpu {
namespace {

struct Sizes {
    int rows, depth, columns;  ///< depth in values
    int taps = 1, lines = 1;
};

// Whole blocks, one tile, fewer rows than a tile, rows and depths that end within a tile, half a panel, lines of
// three and of five tiles.
const std::vector<Sizes> sizes{{32, 64, 32},       {16, 32, 16},       {1, 2, 16},       {5, 14, 32},
                               {17, 32, 32},       {31, 96, 16},       {45, 70, 48},     {256, 200, 80},
                               {16, 96, 32, 3, 5}, {20, 32, 32, 3, 4}, {3, 6, 16, 5, 3}, {64, 48, 48, 7, 2},
                               {48, 32, 32, 3, 3}, {70, 32, 48, 3, 3}};

float rounded(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fffU + ((bits >> 16U) & 1U)) & 0xffff0000U;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

/// A product's memory: every value beyond what the product may read is no number.
struct Material {
    explicit Material(const Sizes& s)
        : words(s.depth / 2),
          a_row(words + 3),
          a_line(s.rows * a_row + 7),
          a(static_cast<std::size_t>((s.lines + s.taps) * a_line), nothing),
          w_values(static_cast<std::size_t>(s.taps * s.depth * s.columns)),
          w(static_cast<std::size_t>(s.taps * words * s.columns)),
          bias(static_cast<std::size_t>(s.columns)),
          residual(static_cast<std::size_t>(s.rows * s.columns)) {
        std::mt19937 engine(7);
        std::normal_distribution<float> normal;
        for (int tap = 0; tap < s.taps; ++tap) taps.push_back(tap * a_line);
        a_values.resize(a.size() * 2);
        for (int line = 0; line < s.lines + s.taps - 1; ++line) {
            for (int r = 0; r < s.rows; ++r) {
                for (int k = 0; k < s.depth; ++k) a_values[at(line, r, k)] = rounded(normal(engine));
                kernels().narrow_rows({.in = &a_values[at(line, r, 0)],
                                       .rows = 1,
                                       .columns = s.depth,
                                       .out = &a[static_cast<std::size_t>(line * a_line + r * a_row)]});
            }
        }
        for (auto& value : w_values) value = rounded(normal(engine));
        kernels().narrow_columns({.in = w_values.data(),
                                  .in_row = s.columns,
                                  .rows = s.taps * s.depth,
                                  .columns = s.columns,
                                  .out = w.data(),
                                  .out_row = s.columns});
        for (auto* values : {&bias, &residual}) {
            for (auto& value : *values) value = normal(engine);
        }
    }
    std::size_t at(Index line, Index r, Index k) const {
        return static_cast<std::size_t>(2 * (line * a_line + r * a_row) + k);
    }

    static constexpr float nothing = std::numeric_limits<float>::quiet_NaN();
    Index words, a_row, a_line;
    std::vector<float> a, a_values, w_values, w, bias, residual;
    std::vector<Index> taps;
};

Product product_of(const Sizes& s, const Material& m, std::vector<float>& out) {
    Product p;
    p.precision = Type::bfloat16;
    p.a = m.a.data();
    p.a_row = m.a_row;
    p.taps = m.taps.data();
    p.tap_count = s.taps;
    p.depth = static_cast<int>(m.words);
    p.w = m.w.data();
    p.w_row = s.columns;
    p.rows = s.rows;
    p.columns = s.columns;
    p.lines = s.lines;
    p.a_line = m.a_line;
    p.out_row = s.columns + 1;
    p.out_line = s.rows * p.out_row + 2;
    out.assign(static_cast<std::size_t>(s.lines * p.out_line), -77.0F);
    p.out = out.data();
    p.bias = m.bias.data();
    if (s.lines == 1) {
        p.residual = m.residual.data();
        p.residual_row = s.columns;
        p.residual_scale = m.bias.data();
    }
    return p;
}

void expect_right(const Sizes& s, const Material& m, const Product& p, const std::vector<float>& out) {
    std::size_t written = 0;
    for (int line = 0; line < s.lines; ++line) {
        for (int r = 0; r < s.rows; ++r) {
            for (int c = 0; c < s.columns; ++c, ++written) {
                double sum = 0, size = 0;
                for (int t = 0; t < s.taps; ++t) {
                    for (int k = 0; k < s.depth; ++k) {
                        const double product =
                            double{m.a_values[m.at(line + t, r, k)]} *
                            double{m.w_values[static_cast<std::size_t>((t * s.depth + k) * s.columns + c)]};
                        sum += product;
                        size += std::abs(product);
                    }
                }
                const double bias = double{m.bias[static_cast<std::size_t>(c)]};
                sum += bias;
                if (p.residual) sum += bias * double{m.residual[static_cast<std::size_t>(r * s.columns + c)]};
                ASSERT_NEAR(out[static_cast<std::size_t>(line * p.out_line + r * p.out_row + c)], sum,
                            2e-6 * (1 + size))
                    << "line " << line << ", row " << r << ", column " << c;
            }
        }
    }
    const auto untouched = static_cast<std::size_t>(std::count(out.begin(), out.end(), -77.0F));
    EXPECT_EQ(untouched, out.size() - written) << "written beyond the rows";
}

TEST(TileProduct, EqualsTheSums) {
    for (const auto& s : sizes) {
        SCOPED_TRACE(testing::Message() << s.rows << " rows, depth " << s.depth << ", columns " << s.columns
                                        << ", taps " << s.taps << ", lines " << s.lines);
        const Material m(s);
        std::vector<float> out;
        const auto p = product_of(s, m, out);
        test::emulated_tiles().product(p);
        expect_right(s, m, p, out);
    }
}

TEST(TileProduct, AddsToItsOwnOutputOnce) {
    // Rows that two tiles share must not be added twice.
    const Sizes s{.rows = 21, .depth = 32, .columns = 32};
    const Material m(s);
    std::vector<float> out;
    auto p = product_of(s, m, out);
    p.residual = p.out;
    p.residual_row = p.out_row;
    p.residual_scale = nullptr;
    for (const bool with_bias : {true, false}) {
        p.bias = with_bias ? m.bias.data() : nullptr;
        out.assign(out.size(), -77.0F);
        test::emulated_tiles().product(p);
        std::vector<float> alone;
        auto q = product_of(s, m, alone);
        q.residual = nullptr;
        q.bias = p.bias;
        test::emulated_tiles().product(q);
        for (int r = 0; r < s.rows; ++r) {
            for (int c = 0; c < s.columns; ++c) {
                const auto i = static_cast<std::size_t>(r * p.out_row + c);
                ASSERT_NEAR(out[i], alone[i] - 77.0F, 2e-5);
            }
        }
    }
}

TEST(TileProduct, TheProcessorsTilesGiveTheEmulatedOnesBits) {
    if (available_isas().back() != Isa::amx) {
        GTEST_SKIP() << "NOT RUN: this processor has no tiles (AMX), or the process may not use them";
    }
    for (const auto& s : sizes) {
        SCOPED_TRACE(testing::Message() << s.rows << " rows, depth " << s.depth << ", columns " << s.columns
                                        << ", taps " << s.taps << ", lines " << s.lines);
        const Material m(s);
        std::vector<float> emulated, real;
        auto p = product_of(s, m, emulated);
        p.residual = nullptr;  // what is added afterwards may be contracted to a multiply-add
        test::emulated_tiles().product(p);
        auto q = product_of(s, m, real);
        q.residual = nullptr;
        kernels(Isa::amx).product(q);
        EXPECT_EQ(std::memcmp(emulated.data(), real.data(), real.size() * sizeof(float)), 0);
    }
}

}  // namespace
}  // namespace stl::cpu
