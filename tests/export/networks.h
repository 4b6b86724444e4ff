// Small networks to export: of every translator, with frames that the encoder pads where the translator can.
#pragma once

#include "tests/support/random_model.h"
#include "tests/support/translators.h"

namespace stl::test {

inline SimVP network_to_export(const std::string& translator) {
    SimVPOptions o;
    o.translator = translator;
    o.frames = 3;
    o.channels = 2;
    o.height = translator == "swin" ? 32 : 14;
    o.width = translator == "swin" ? 64 : 18;
    o.hid_S = 8;
    o.hid_T = 16;
    o.N_S = 4;
    o.N_T = 3;
    o.mlp_ratio = 2;
    auto network = random_model(o);
    for (auto& parameter : network->parameters()) parameter.requires_grad_(false);
    return network;
}

inline std::vector<std::int64_t> input_shape(const SimVPImpl& network) {
    const auto& o = network.options();
    return {o.frames, o.channels, o.height, o.width};
}

inline torch::Tensor input_of(const SimVPImpl& network, std::int64_t batch) {
    const auto& o = network.options();
    return torch::rand({batch, o.frames, o.channels, o.height, o.width});
}

}  // namespace stl::test
