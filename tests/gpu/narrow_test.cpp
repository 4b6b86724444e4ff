// Narrow numbers of our own against LibTorch's, bit for bit.
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "stl/gpu/portable.h"

namespace stl {
namespace {

template <class Ours, class Theirs>
void expect_same(float value) {
    Ours ours;
    gpu::assign(ours, value);
    if (std::isnan(value)) {
        ASSERT_TRUE(std::isnan(gpu::to_float(ours)));
        return;
    }
    ASSERT_EQ(ours.bits, Theirs(value).x) << value;
    ASSERT_EQ(gpu::to_float(ours), static_cast<float>(Theirs(value)));
}

/// All exponents, both signs, ties among them.
template <class Ours, class Theirs>
void expect_same_everywhere() {
    std::uint32_t bits = 0;
    for (int i = 0; i < 200'000; ++i, bits += 21'473U) {
        expect_same<Ours, Theirs>(gpu::float_of(bits));
        if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(Bf16, RoundsAsLibTorchDoes) {
    expect_same_everywhere<gpu::Bf16, c10::BFloat16>();
    for (const float tie : {1.00390625F, 1.01171875F, -1.00390625F})
        expect_same<gpu::Bf16, c10::BFloat16>(tie);
}

TEST(Fp16, RoundsAsLibTorchDoes) {
    expect_same_everywhere<gpu::Fp16, c10::Half>();
    constexpr float smallest = 0x1p-24F, infinite = std::numeric_limits<float>::infinity();
    for (const float value :
         {1 + 0x1p-11F, 1 + 3 * 0x1p-11F, -1 - 0x1p-11F, 65504.0F, 65519.0F, 65520.0F, 65536.0F, -1e9F,
          infinite, smallest, 0.5F * smallest, 0.51F * smallest, 1.5F * smallest, 2.5F * smallest,
          0x1p-14F - 0.5F * smallest, 0x1p-14F - 0.51F * smallest, -0.0F, 1e-30F})
        expect_same<gpu::Fp16, c10::Half>(value);
}

TEST(Fp16, IsReadAsLibTorchReadsIt) {
    for (std::uint32_t bits = 0; bits <= 0xffffU; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float ours = gpu::to_float(gpu::Fp16{half}),
                    theirs = static_cast<float>(c10::Half(half, c10::Half::from_bits()));
        ASSERT_TRUE(ours == theirs || (std::isnan(ours) && std::isnan(theirs))) << bits;
    }
}

}  // namespace
}  // namespace stl
