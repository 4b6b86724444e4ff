// HDF5 datasets as tensors, for tests against stored reference values. Float and integer datasets of any
// shape, compressed or not.
#pragma once

#include <string>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl::test {

/// The dataset `name` ("grads/enc.enc.0.conv.conv.weight") with its own type: float32, float64 or int64.
/// Throws std::runtime_error where it is not there.
torch::Tensor read_h5_tensor(const std::string& path, const std::string& name);
bool has_h5(const std::string& path, const std::string& name);

/// Names of the members of a group, in alphabetical order; empty where there is no such group.
std::vector<std::string> list_h5(const std::string& path, const std::string& group = "/");

}  // namespace stl::test
