// Trivial predictors: baselines without training that a trained network must beat.
//
// To add one: a function and a line in the list of trivial.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl {

struct TrivialPredictor {
    std::string name;  ///< in JSON
    std::string help;  ///< in tables
    /// x: [B,T,C,H,W] -> [B,frames,C,H,W] (a view if possible).
    torch::Tensor (*predict)(const torch::Tensor& x, std::int64_t frames);
};

const std::vector<TrivialPredictor>& trivial_predictors();

}  // namespace stl
