// A folder of tests/fixtures/models: one model of the reference with its weights, inputs, outputs, gradients and
// a few training steps.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "stl/core/json.h"
#include "stl/models/simvp.h"
#include "stl/runtime/torch.h"

namespace stl::test {

struct Golden {
    explicit Golden(const std::string& folder);

    torch::Tensor read(const std::string& name) const;
    std::vector<std::string> list(const std::string& group) const;
    bool has(const std::string& name) const;

    std::string name;  ///< of the folder
    Json config;
    Json deviation;        ///< of the reference in float32 from itself in float64, per dataset
    SimVPOptions options;  ///< stochastic depth as the reference built it

  private:
    std::string h5_;
};

/// Every folder of tests/fixtures/models.
std::vector<std::string> golden_folders();

/// Largest absolute difference, in double precision.
double deviation(const torch::Tensor& a, const torch::Tensor& b);
double largest(const torch::Tensor& a);
/// deviation(ours, theirs) / largest(theirs)
double relative_deviation(const torch::Tensor& ours, const torch::Tensor& theirs);

}  // namespace stl::test
