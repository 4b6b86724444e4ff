// Where the kernels' tests run: emulated on the CPU always, on a GPU where there is one.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stl/gpu/emulated/emulated_kernels.h"
#include "stl/gpu/plugin.h"
#include "stl/runtime/device.h"
#include "stl/runtime/torch.h"
#include "tests/support/distance.h"

namespace stl::test {

/// Before any test asks LibTorch for a GPU and has it remember that there is none (stl/runtime/device.cpp).
inline const torch::Device gpu_comes_first = open_device("auto");

inline constexpr const char* no_gpu =
    "NOT RUN: no GPU on this machine; the kernels were tested emulated alone";

/// Emulated on the CPU.
inline const gpu::KernelTable& kernels_on(torch::Device device) {
    return device.is_cpu() ? gpu::emulated_kernels() : *gpu::kernels_for(device);
}

/// Parameterised by the device's name.
class KernelTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        if (GetParam() == "cpu") return;
        if (list_gpus().empty()) GTEST_SKIP() << no_gpu;
        device = open_device("cuda");
        ASSERT_NE(gpu::kernels_for(device), nullptr) << gpu::why_no_kernels();
    }
    const gpu::KernelTable& kernels() const { return kernels_on(device); }

    torch::Device device = torch::kCPU;
};

inline std::string device_name(const testing::TestParamInfo<std::string>& info) {
    return info.param;
}

constexpr double float_bound = 2e-5;
constexpr double bf16_bound = 6e-3;  // one rounding to 8 bits
constexpr double fp16_bound = 8e-4;  // to 11

using Tensors = std::vector<torch::Tensor>;

/// f's result and the gradients of sum(result * weights) for all of `inputs`.
inline Tensors with_gradients(Tensors inputs, const std::function<torch::Tensor(const Tensors&)>& f) {
    for (auto& x : inputs) x = x.detach().requires_grad_();
    const auto y = f(inputs);
    torch::manual_seed(5);
    const auto weights = torch::randn(y.sizes(), torch::kFloat64).to(torch::kBFloat16).to(y.options());
    (y * weights).sum().backward();
    Tensors all{y.detach()};
    for (const auto& x : inputs) all.push_back(x.grad());
    return all;
}

}  // namespace stl::test
