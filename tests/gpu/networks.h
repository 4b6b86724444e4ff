// Small networks of every translator, on the CPU always, on a GPU where there is one.
#pragma once

#include <string>
#include <tuple>

#include "stl/models/simvp.h"
#include "tests/gpu/subject.h"
#include "tests/support/translators.h"

namespace stl::test {

inline SimVPOptions small(const std::string& translator) {
    SimVPOptions options;
    options.translator = translator;
    options.frames = 4;
    options.height = options.width = 32;
    options.hid_S = 8;
    options.hid_T = 64;
    options.N_S = options.N_T = 2;
    options.drop_path = 0.3;
    return options;
}

/// Parameterised by translator and device.
class NetworkTest : public testing::TestWithParam<std::tuple<std::string, std::string>> {
  protected:
    void SetUp() override {
        if (std::get<1>(GetParam()) == "cpu") return;
        if (list_gpus().empty()) GTEST_SKIP() << no_gpu;
        device = open_device("cuda");
        ASSERT_NE(gpu::kernels_for(device), nullptr) << gpu::why_no_kernels();
    }
    const gpu::KernelTable& kernels() const { return kernels_on(device); }
    static std::string translator() { return std::get<0>(GetParam()); }

    torch::Device device = torch::kCPU;
};

inline auto every_network() {
    return testing::Combine(testing::ValuesIn(translator_names()), testing::Values("cpu", "cuda"));
}

inline std::string network_name(const testing::TestParamInfo<NetworkTest::ParamType>& info) {
    return std::get<0>(info.param) + "_" + std::get<1>(info.param);
}

}  // namespace stl::test
