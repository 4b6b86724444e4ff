// What is computed where a precision is asked for: the names, the rules, and the scope of TF32.
#include "stl/runtime/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/cpu/isa.h"
#include "stl/runtime/autocast.h"
#include "tests/support/checks.h"
#include "tests/support/tf32.h"

namespace stl {
namespace {

using test::error_of;
using testing::HasSubstr;

constexpr std::array all{Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16};

TEST(Precision, HasNames) {
    for (const auto precision : all)
        EXPECT_EQ(member_named<Precision>(name_of(precision), "precision"), precision);
    EXPECT_EQ(name_of(Precision::tf32), "tf32");
    EXPECT_EQ(name_of(Path::fast), "fast");
    EXPECT_EQ(error_of([] { member_named<Precision>("fp8", "precision"); }),
              "precision 'fp8' is not known, expected fp32, tf32, bf16 or fp16");
    EXPECT_EQ(error_of([] { member_named<Precision>("fp16", "train.precision:", training_precisions); }),
              "train.precision: 'fp16' is not known, expected fp32, tf32 or bf16");
}

TEST(Precision, OnAGpuIsTheOneThatIsAskedFor) {
    for (const auto path : {Path::plain, Path::fast}) {
        for (const auto precision : all) {
            const auto found = resolve_precision(precision, Work::inference, torch::kCUDA, path);
            EXPECT_EQ(found.precision, precision);
            EXPECT_EQ(found.reason, "");
            if (precision == Precision::fp16) continue;
            EXPECT_EQ(resolve_precision(precision, Work::training, torch::kCUDA, path).precision, precision);
        }
    }
    EXPECT_THAT(
        error_of([] { resolve_precision(Precision::fp16, Work::training, torch::kCUDA, Path::fast); }),
        HasSubstr("fp16 is only for inference"));
}

TEST(Precision, OnACpuIsFp32WhereItHasNoOther) {
    for (const auto work : {Work::inference, Work::training}) {
        for (const auto path : {Path::plain, Path::fast}) {
            const auto fp32 = resolve_precision(Precision::fp32, work, torch::kCPU, path);
            EXPECT_EQ(fp32.precision, Precision::fp32);
            EXPECT_EQ(fp32.reason, "");
            const auto tf32 = resolve_precision(Precision::tf32, work, torch::kCPU, path);
            EXPECT_EQ(tf32.precision, Precision::fp32);
            EXPECT_EQ(tf32.reason, "TF32 is a format of GPUs");
            const bool own = work == Work::inference && path == Path::fast;
            const bool has = own ? cpu::multiplies_bfloat16(cpu::best_isa()) : libtorch_multiplies_bfloat16();
            const auto bf16 = resolve_precision(Precision::bf16, work, torch::kCPU, path);
            EXPECT_EQ(bf16.precision, has ? Precision::bf16 : Precision::fp32);
            EXPECT_EQ(bf16.reason, has ? "" : "this CPU has no bfloat16 arithmetic");
        }
    }
    EXPECT_THAT(
        error_of([] { resolve_precision(Precision::fp16, Work::inference, torch::kCPU, Path::fast); }),
        HasSubstr("precision fp16 needs a GPU"));
}

TEST(Tf32, IsOnInItsScopeAlone) {
    const auto products = at::globalContext().allowTF32CuBLAS();
    const auto convolutions = at::globalContext().allowTF32CuDNN();
    {
        const Tf32 off(false);
        EXPECT_EQ(at::globalContext().allowTF32CuBLAS(), products);
        const Tf32 on(true);
        EXPECT_TRUE(test::tf32_is_on());
    }
    EXPECT_EQ(at::globalContext().allowTF32CuBLAS(), products);
    EXPECT_EQ(at::globalContext().allowTF32CuDNN(), convolutions);
}

}  // namespace
}  // namespace stl
