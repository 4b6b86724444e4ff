// Where the first value that is not finite appears.
#include "stl/train/anomaly.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stl/core/error.h"
#include "stl/models/layers/layer.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class AnomalyTest : public testing::Test {
  protected:
    AnomalyTest() {
        torch::manual_seed(1);
        SimVPOptions options;
        options.translator = "moganet";
        options.frames = 2;
        options.height = options.width = 16;
        options.hid_S = 4;
        options.hid_T = 16;
        options.N_S = options.N_T = 2;
        options.mlp_ratio = 2;
        model_ = SimVP(options);
        watch_ = std::make_unique<AnomalyWatch>(model_, ops::fast_operations(torch::kCPU));
        watch_->begin(7, "the end");
        x_ = torch::rand({2, 2, 1, 16, 16});
    }
    torch::Tensor forward() { return model_->forward(x_); }
    torch::Tensor parameter(const std::string& name) { return model_->named_parameters()[name].detach(); }

    SimVP model_{nullptr};
    std::unique_ptr<AnomalyWatch> watch_;
    torch::Tensor x_;
};

TEST_F(AnomalyTest, WhatIsFinitePasses) {
    EXPECT_NO_THROW(forward().mean().backward());
}

TEST_F(AnomalyTest, AValueIsNamedByTheLayerThatGivesItFirst) {
    parameter("dec.readout.bias")[0] = INFINITY;
    EXPECT_THAT(
        [&] { forward(); },
        ThrowsMessage<Error>("step 7: the first value that is not finite is in the result of conv2d in "
                             "dec.readout, whose weights are not finite either; the end"));
    watch_->begin(8, "the end");
    parameter("hid.enc.1.block.mlp.fc1.bias")[0] = NAN;
    EXPECT_THAT([&] { forward(); },
                ThrowsMessage<Error>(HasSubstr("in the result of conv2d in hid.enc.1.block.mlp.fc1")));
}

TEST_F(AnomalyTest, AnInputIsNamedByTheFirstLayerThatTakesIt) {
    x_[0] = NAN;
    EXPECT_THAT([&] { forward(); },
                ThrowsMessage<Error>(HasSubstr("is in the input of conv_norm_silu in enc.enc.0")));
}

TEST_F(AnomalyTest, AGradientIsNamedByTheLayerThatGivesItBack) {
    const auto y = forward();
    EXPECT_THAT([&] { (y * INFINITY).sum().backward(); },
                ThrowsMessage<Error>(
                    HasSubstr("the first gradient that is not finite is that of the result of conv2d in "
                              "dec.readout")));
    // Finite values whose product is not: the gradient of the layer's input is weight times gradient.
    watch_->begin(9, "the end");
    parameter("dec.readout.weight").mul_(1e30);
    x_.mul_(0);
    EXPECT_THAT(
        [&] { (forward() * 1e30).sum().backward(); },
        ThrowsMessage<Error>(testing::AllOf(HasSubstr("the first gradient"), HasSubstr("dec.readout"))));
}

}  // namespace
}  // namespace stl
