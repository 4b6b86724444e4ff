// What a training pass of a network gives, compared.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "stl/runtime/torch.h"

namespace stl::test {

/// The output, then the parameters' gradients.
using TrainingPass = std::vector<std::pair<std::string, torch::Tensor>>;

/// Each gradient is within `bound` of its own largest value, or of a thousandth of the largest of all where that is
/// more.
inline void expect_same_gradients(const TrainingPass& found, const TrainingPass& expected, double bound) {
    ASSERT_EQ(found.size(), expected.size());
    double largest = 0;
    for (std::size_t i = 1; i < expected.size(); ++i)
        largest = std::max(largest, expected[i].second.abs().max().item<double>());
    for (std::size_t i = 1; i < expected.size(); ++i) {
        const auto difference = (found[i].second - expected[i].second).abs().max().item<double>();
        const auto own = expected[i].second.abs().max().item<double>();
        EXPECT_LE(difference, bound * std::max(own, 1e-3 * largest)) << expected[i].first;
    }
}

}  // namespace stl::test
