// Networks whose weights leave no layer without effect.
#pragma once

#include <cmath>

#include "stl/models/simvp.h"
#include "stl/runtime/torch.h"

namespace stl::test {

/// In evaluation, with weights that hide nothing: no norm is an identity, no layer scale small.
inline SimVP random_model(const SimVPOptions& options) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(7);
    SimVP model(options);
    for (const auto& item : model->named_parameters()) {
        auto& value = item.value();
        const auto& name = item.key();
        if (value.dim() >= 2 && value.numel() != value.size(1)) {
            value.normal_(0.0, 1.0 / std::sqrt(static_cast<double>(value.numel() / value.size(0))));
        } else if (name.ends_with("bias")) {
            value.normal_(0.0, 0.2);
        } else {
            value.uniform_(0.5, 1.2);
        }
    }
    for (const auto& item : model->named_buffers()) {
        if (item.key().ends_with("running_mean")) item.value().normal_(0.0, 0.3);
        if (item.key().ends_with("running_var")) item.value().uniform_(0.5, 1.5);
    }
    model->eval();
    return model;
}

}  // namespace stl::test
