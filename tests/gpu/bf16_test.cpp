// bfloat16 of our own against LibTorch's, bit for bit.
#include <c10/util/BFloat16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "stl/gpu/portable.h"

namespace stl {
namespace {

TEST(Bf16, RoundsAsLibTorchDoes) {
    std::uint32_t bits = 0;
    for (int i = 0; i < 200'000; ++i, bits += 21'473U) {  // all exponents, both signs, ties among them
        float value;
        memcpy(&value, &bits, sizeof value);
        gpu::Bf16 ours;
        gpu::assign(ours, value);
        if (std::isnan(value)) {
            ASSERT_TRUE(std::isnan(gpu::to_float(ours)));
            continue;
        }
        ASSERT_EQ(ours.bits, c10::BFloat16(value).x) << value;
        ASSERT_EQ(gpu::to_float(ours), static_cast<float>(c10::BFloat16(value)));
    }
    for (const float tie : {1.00390625F, 1.01171875F, -1.00390625F}) {
        gpu::Bf16 ours;
        gpu::assign(ours, tie);
        EXPECT_EQ(ours.bits, c10::BFloat16(tie).x) << tie;
    }
}

}  // namespace
}  // namespace stl
